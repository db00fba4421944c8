"""The spiders: ``domains`` pings, ``feeds`` finds pages, ``articles`` fetches them."""
