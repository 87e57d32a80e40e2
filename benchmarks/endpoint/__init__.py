"""A simulated Anthropic Messages endpoint on loopback, in a process of its own. No model, no key, no cost.

    python -m benchmarks.endpoint [--config JSON]

prints its port as the first line and serves until stdin closes. From Python, `client.endpoint(Config(...))` does it.
Latencies, faults and answers hang on `config.Config` and on the requests alone, so that they can be repeated. Every
answer is made by rules, and says so: each reply's model is named `<model>-simulated`.

```
client.py      starts the process, asks it for its statistics
config.py      everything that can be set
server.py      the HTTP face: which address does what
exchange.py    one request and its connection: waits, sends, breaks off where a fault says so
simulation.py  what a request is admitted to: checks, limits, fault, latency, answer, usage
prompt.py      a request as the minds see it; refuses what the API would refuse
tokens.py      the hidden rule that counts tokens
cache.py       prompt cache accounting
limits.py      token buckets and their headers
behaviour.py   chance: latencies and faults drawn from the seed and the request
ledger.py      what is counted
minds.py       picks who answers: script.py, worker.py (with shown.py), structured.py, synthesis.py (with knowing.py)
filling.py     makes what a mind knows fit a schema
draft.py       what a mind wants to answer, and what of it fits
wire.py        replies, streams and errors as bytes
```
"""
