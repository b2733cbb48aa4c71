"""The captures of the shared data: how each is mapped, and which derived files say what it holds.

A capture is {"file", "mapping", "prefix", "derived"}; `derived` is (table, file, rows of it: a prefix of symbols or all). Where a file's time
is that of receipt, `receipt` says so: Kafka has milliseconds. MAPPINGS are those that no preset covers.
"""

SPOT = "binance_spot_btcusdt_ethusdt_20240809"
USDM = "binance_usdm_btcusdt_ethusdt_20240808"
VENUES = (("trades", "crypto_venues_trades_2021-22"), ("quotes", "crypto_venues_quotes_2021-22"))


def _of(capture, mapping, prefix="", derived=(), receipt=()):
    return {"file": capture, "mapping": mapping, "prefix": prefix, "derived": derived, "receipt": receipt}


def _binance(capture, receipt=()):
    return _of(capture, "binance", derived=(("trades", f"{capture}_trades"), ("quotes", f"{capture}_quotes")), receipt=receipt)


SMALL = [
    _of("binance_usdm_20210722", "binance", "BINANCEF:", VENUES),
    _of("bitmex_20210722", "bitmex", "BITMEX:", VENUES),
    _of("bybit_20210417", "bybit", "BYBIT:", VENUES[:1]),
    _of("coinbase_20210417", "coinbase", "COINBASE:", VENUES),
    _of("gemini_2021", "gemini", "GEMINI:", VENUES[:1]),
    _of("kraken_20210417", "none"),  # nobody derived rows from it: its messages alone
    _of("kucoin_20210425", "kucoin", "KUCOIN:", VENUES),
    _of("okx_20220513", "okx", "OKX:", VENUES),
]
ALL = SMALL + [_binance(USDM), _binance(SPOT, receipt=("quotes",))]

MAPPINGS = """
[mappings.bitmex]
format = "json"
each   = "data[*]"
skip   = ['exists(info)', 'exists(success)', '$.table == "orderBookL2"']
[[mappings.bitmex.records]]
when   = '$.table == "trade"'
table  = "trades"
symbol = "symbol"
ts     = { path = "timestamp", unit = "iso" }
fields.price    = "price"
fields.size     = "size"
fields.side     = { path = "side", map = { Buy = "buy", Sell = "sell" } }
fields.trade_id = "trdMatchID"
[[mappings.bitmex.records]]
when   = '$.table == "quote"'
table  = "quotes"
symbol = "symbol"
ts     = { path = "timestamp", unit = "iso" }
fields.bid_price = "bidPrice"
fields.bid_size  = "bidSize"
fields.ask_price = "askPrice"
fields.ask_size  = "askSize"

[mappings.bybit]
format = "json"
each   = "data[*]"
skip   = ['exists(success)', 'exists(type)']
[[mappings.bybit.records]]
table  = "trades"
symbol = "symbol"
ts     = { path = "trade_time_ms", unit = "ms" }
fields.price    = "price"
fields.size     = "size"
fields.side     = { path = "side", map = { Buy = "buy", Sell = "sell" } }
fields.trade_id = "trade_id"

[mappings.gemini]
format = "json"
skip   = ['type == "l2_updates"', 'type == "heartbeat"']
[[mappings.gemini.records]]
when   = 'type == "trade"'
table  = "trades"
symbol = "symbol"
ts     = { path = "timestamp", unit = "ms" }
fields.price    = "price"
fields.size     = "quantity"
fields.side     = "side"
fields.trade_id = "event_id"

[mappings.kucoin]
format = "json"
unmatched = "skip"
[[mappings.kucoin.records]]
when   = 'subject == "trade.l3match"'
table  = "trades"
symbol = "data.symbol"
ts     = { path = "data.time", unit = "ns" }
fields.price    = "data.price"
fields.size     = "data.size"
fields.side     = "data.side"
fields.trade_id = "data.tradeId"
[[mappings.kucoin.records]]
when   = 'subject == "trade.ticker"'
table  = "quotes"
symbol = { path = "topic", extract = ':(.+)$' }
ts     = { path = "data.time", unit = "ms" }
fields.bid_price = "data.bestBid"
fields.bid_size  = "data.bestBidSize"
fields.ask_price = "data.bestAsk"
fields.ask_size  = "data.bestAskSize"

[mappings.okx]
format = "json"
each   = "data[*]"
skip   = ['exists(event)', '$.arg.channel == "books"']
[[mappings.okx.records]]
when   = '$.arg.channel == "trades"'
table  = "trades"
symbol = "instId"
ts     = { path = "ts", unit = "ms" }
fields.price    = "px"
fields.size     = "sz"
fields.side     = "side"
fields.trade_id = "tradeId"
[[mappings.okx.records]]
when   = '$.arg.channel == "tickers"'
table  = "quotes"
symbol = "instId"
ts     = { path = "ts", unit = "ms" }
fields.bid_price = "bidPx"
fields.bid_size  = "bidSz"
fields.ask_price = "askPx"
fields.ask_size  = "askSz"
"""
