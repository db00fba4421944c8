"""The sample: invented companies, their sites, and the book of a reseller that sells to them."""
