"""The downloads hub: server-rendered pages over one person's scope of the store."""
