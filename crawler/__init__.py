"""Collecting: the Scrapy project that fetches politely, archives what it fetched, and decides nothing about its meaning."""
