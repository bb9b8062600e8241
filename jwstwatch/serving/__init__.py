"""The sites of output folders over HTTP, read-only, for people who look at pages without a web server."""
