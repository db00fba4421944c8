"""Settings for ``scrapy crawl …``: scrapy.cfg names this module. They are made from the bellwether.toml of the current folder."""

from bellwether.config import load_config
from bellwether.crawl_config import crawl_config
from crawler.settings import crawl_settings

globals().update(crawl_settings(crawl_config(load_config())))
