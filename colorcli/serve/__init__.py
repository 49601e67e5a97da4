"""`colorcli serve`: a page on this computer that colors photographs, and the HTTP API behind it.

The server is Starlette on uvicorn, installed by the extra `serve`, rather than the standard library's `http.server`:
what hostile or slow clients send, multipart forms included, is parsed by code that many rely on, and fifty connections
do not need fifty threads. It costs eight small packages, which no other command imports.

Pictures live in memory only, in an `Album` of bounded size; models on a `ModelShelf`. Requests take their turn one
after the other, because each of them uses every core.
"""
