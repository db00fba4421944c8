"""Scrapy's settings, made from our configuration."""

from __future__ import annotations

from typing import Any

from crawler.config import AGENT_NAME, CrawlConfig

# What may be bad luck. A timeout is none: the next attempt would cost as much again.
RETRIED = ("DownloadConnectionRefusedError", "DownloadFailedError", "ResponseDataLossError")

# What Scrapy does by default and we do otherwise or not at all; each costs a little for every page.
UNUSED_DOWNLOADER_MIDDLEWARES = (
    "offsite.OffsiteMiddleware",
    "httpauth.HttpAuthMiddleware",
    "useragent.UserAgentMiddleware",
    "defaultheaders.DefaultHeadersMiddleware",  # the fetcher sends them
    "stats.DownloaderStats",
    "cookies.CookiesMiddleware",
    "httpproxy.HttpProxyMiddleware",
)
UNUSED_SPIDER_MIDDLEWARES = ("urllength.UrlLengthMiddleware", "depth.DepthMiddleware", "referer.RefererMiddleware")
UNUSED_EXTENSIONS = (
    "corestats.CoreStats",
    "logcount.LogCount",
    "telnet.TelnetConsole",
    "memusage.MemoryUsage",
    "memdebug.MemoryDebugger",
    "closespider.CloseSpider",
    "feedexport.FeedExporter",
    "logstats.LogStats",
    "spiderstate.SpiderState",
    "throttle.AutoThrottle",
)


def crawl_settings(config: CrawlConfig) -> dict[str, Any]:
    """The settings of every spider here. ``BELLWETHER_CRAWL`` carries our own configuration to our own parts.

    Raises:
        ConfigError: the crawl could leave this machine, and nobody would know whom to ask about it.
    """
    config.require_contact()
    return {
        "BOT_NAME": "bellwether",
        "BELLWETHER_CRAWL": config,
        "SPIDER_MODULES": ["crawler.spiders"],
        "USER_AGENT": config.user_agent,
        "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
        "ROBOTSTXT_USER_AGENT": AGENT_NAME,
        "TWISTED_REACTOR_ENABLED": False,
        # Nothing but HTTP, no open ports of its own, no proxy that the environment names: each would lead around the guard.
        "DOWNLOAD_HANDLERS": {
            **dict.fromkeys(("file", "data", "ftp", "s3")),
            **dict.fromkeys(("http", "https"), "crawler.fetcher.GuardedFetcher"),
        },
        "REMOTE_CONTROL_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "HTTPPROXY_ENABLED": False,
        "REFERER_ENABLED": False,
        "COOKIES_ENABLED": False,
        # Manners: one request at a time per site, with a pause.
        "CONCURRENT_REQUESTS": config.n_concurrent,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "DOWNLOADER": "crawler.downloader.OneAtATimeDownloader",
        "SCHEDULER_PRIORITY_QUEUE": "crawler.queue.SitesInTurn",
        # Never 0: without a pause Scrapy lets go of a site's whole queue in one turn of the event loop.
        "DOWNLOAD_DELAY": max(config.delay_s, 0.001),
        "DOWNLOAD_DELAY_JITTER": 0,  # a promise of a pause is a promise of at least that pause
        "DOWNLOAD_TIMEOUT": config.timeout_s,
        "DOWNLOAD_MAXSIZE": config.max_bytes,
        "DOWNLOAD_WARNSIZE": 0,
        "REDIRECT_MAX_TIMES": 5,
        "RETRY_TIMES": 1,
        "RETRY_HTTP_CODES": [500, 502, 504, 522, 524, 408],  # 429 and 503 are crawler.backoff's
        "RETRY_EXCEPTIONS": [f"scrapy.exceptions.{name}" for name in RETRIED],
        "RETRY_GIVE_UP_LOG_LEVEL": "DEBUG",  # the reason stands in failures; the terminal belongs to the progress bar
        "ROBOTSTXT_OBEY": False,  # crawler.robots obeys, to the letter; Scrapy's own fetches when robots.txt answers 5xx
        "METAREFRESH_ENABLED": False,  # reads every page's text; home pages, which do move that way, switch it on
        "DOWNLOADER_MIDDLEWARES": {
            **dict.fromkeys((f"scrapy.downloadermiddlewares.{name}" for name in UNUSED_DOWNLOADER_MIDDLEWARES), None),
            "crawler.url_limits.UrlLimitsMiddleware": 50,
            "crawler.robots.RobotsMiddleware": 100,
            "crawler.budget.BudgetMiddleware": 110,
            "crawler.backoff.BackoffMiddleware": 551,
            "crawler.wire.WireMiddleware": 950,  # innermost: sees the body as it came, before it is unpacked
        },
        "DEFAULT_REQUEST_HEADERS": {
            "User-Agent": config.user_agent,
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Language": "en",
            "Accept-Encoding": "gzip, deflate",  # what any WARC reader can undo
        },
        "SPIDER_MIDDLEWARES": dict.fromkeys((f"scrapy.spidermiddlewares.{name}" for name in UNUSED_SPIDER_MIDDLEWARES), None),
        "EXTENSIONS": {
            **dict.fromkeys((f"scrapy.extensions.{name}" for name in UNUSED_EXTENSIONS), None),
            "crawler.session.CrawlSession": 0,
        },
        "CONCURRENT_ITEMS": 1,
        "LOG_LEVEL": "ERROR",
        "LOGSTATS_INTERVAL": 0,
    }
