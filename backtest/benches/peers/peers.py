"""The same moving-average rule in vectorbt, backtrader and nautilus_trader: final values and times, merged as ratios.

What each of them does not model, of what the rule here pays and does:
- vectorbt: money in doubles, not in a token's whole units; the price is the close, there is no pool and no bound to miss.
- backtrader: the same; an order is checked against cash, so a trillionth of it is left out.
- nautilus_trader: prices of two decimals and amounts of five, as its instrument says; a buyer's fee comes on top in quote, where a pool
  keeps it out of what is given; it does model an exchange's matching, accounts and clock, which nothing here does.
None of them runs the engine (features, network, risk, portfolio in integers), and none could be proven.
"""

import argparse
import json
import statistics
import time

import numpy as np
import pandas as pd

MEAN, FEE, CASH = 720, 0.0005, 100_000.0
# A fee of f out of what is given buys as much as one of f/(1-f) on top.
ON_TOP = FEE / (1 - FEE)


def timed(rounds, work):
    result, times = work(), []
    for _ in range(rounds):
        start, cpu = time.perf_counter(), time.process_time()
        result = work()
        times.append((time.perf_counter() - start, time.process_time() - cpu))
    return tuple(statistics.median(t) for t in zip(*times)), result


def vectorbt(signals, prices):
    import vectorbt as vbt

    def work():
        close, signal = pd.Series(prices), pd.Series(signals)
        mean = signal.rolling(MEAN).mean()
        inside = (signal > mean) & mean.notna()
        before = inside.shift(1, fill_value=False)
        entries, exits = inside & ~before, ~inside & before
        fees = np.where(entries, ON_TOP, FEE)
        folio = vbt.Portfolio.from_signals(close, entries, exits, fees=fees, init_cash=CASH, freq="1h")
        value = folio.value()
        return float(value.iloc[-1]), int(folio.orders.count())

    return timed(7, work)


def backtrader(frame):
    import backtrader as bt

    class Fee(bt.CommInfoBase):
        params = (("stocklike", True), ("commtype", bt.CommInfoBase.COMM_PERC))

        def _getcommission(self, size, price, pseudoexec):
            return abs(size) * price * (ON_TOP if size > 0 else FEE)

    class Rule(bt.Strategy):
        def __init__(self):
            self.mean = bt.indicators.SimpleMovingAverage(self.data.open, period=MEAN)
            self.orders = 0

        def next(self):
            above = self.data.open[0] > self.mean[0]
            if above and not self.position:
                # A hair less than all of it: a rounding above the cash would be refused.
                self.buy(size=self.broker.getcash() / (self.data.close[0] * (1 + ON_TOP)) * (1 - 1e-12))
                self.orders += 1
            elif not above and self.position:
                self.close()
                self.orders += 1

    def work():
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        cerebro.addstrategy(Rule)
        cerebro.broker.setcash(CASH)
        cerebro.broker.set_coc(True)
        cerebro.broker.set_checksubmit(False)
        cerebro.broker.addcommissioninfo(Fee())
        rule = cerebro.run()[0]
        return cerebro.broker.getvalue(), rule.orders

    return timed(1, work)


def nautilus(times, signals, prices):
    from decimal import Decimal

    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig, StrategyConfig
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model.currencies import ETH, USDT
    from nautilus_trader.model.data import Bar, BarType
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
    from nautilus_trader.model.instruments import CurrencyPair
    from nautilus_trader.model.objects import Money, Price, Quantity
    from nautilus_trader.trading.strategy import Strategy

    venue = Venue("SIM")
    instrument = CurrencyPair(
        instrument_id=InstrumentId(Symbol("ETHUSDT"), venue), raw_symbol=Symbol("ETHUSDT"), base_currency=ETH, quote_currency=USDT,
        price_precision=2, size_precision=5, price_increment=Price(0.01, 2), size_increment=Quantity(0.00001, 5), ts_event=0, ts_init=0,
        maker_fee=Decimal(str(FEE)), taker_fee=Decimal(str(FEE)),
    )
    kind = BarType.from_str("ETHUSDT.SIM-1-HOUR-LAST-EXTERNAL")
    size = Quantity(1_000_000, 5)
    bars = []
    for t, s, p in zip(times, signals, prices):
        first, last = Price(s, 2), Price(p, 2)
        bars.append(Bar(kind, first, max(first, last), min(first, last), last, size, int(t) * 1_000_000_000, int(t) * 1_000_000_000))

    class Config(StrategyConfig, frozen=True):
        pass

    class Rule(Strategy):
        def __init__(self):
            super().__init__(Config())
            self.mean, self.held, self.orders = SimpleMovingAverage(MEAN), None, 0

        def on_start(self):
            self.subscribe_bars(kind)

        def on_bar(self, bar):
            self.mean.update_raw(bar.open.as_double())
            if not self.mean.initialized:
                return
            close = bar.close.as_double()
            above = bar.open.as_double() > self.mean.value
            if above and self.held is None:
                cash = self.portfolio.account(venue).balance_free(USDT).as_double()
                units = int((cash - 0.01) / (close * (1 + FEE)) * 100_000)
                self.held = Quantity(units / 100_000, 5)
                self.submit_order(self.order_factory.market(instrument.id, OrderSide.BUY, self.held))
                self.orders += 1
            elif not above and self.held is not None:
                self.submit_order(self.order_factory.market(instrument.id, OrderSide.SELL, self.held))
                self.held = None
                self.orders += 1

    seconds, result = [], None
    for _ in range(3):
        engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        engine.add_venue(venue, OmsType.NETTING, AccountType.CASH, [Money(CASH, USDT), Money(0, ETH)])
        engine.add_instrument(instrument)
        engine.add_data(bars)
        rule = Rule()
        engine.add_strategy(rule)
        start, cpu = time.perf_counter(), time.process_time()
        engine.run()
        seconds.append((time.perf_counter() - start, time.process_time() - cpu))
        account = engine.cache.account_for_venue(venue)
        value = account.balance_total(USDT).as_double() + account.balance_total(ETH).as_double() * prices[-1]
        result = (value, rule.orders)
        engine.dispose()
    return tuple(statistics.median(t) for t in zip(*seconds)), result


def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("--bars", required=True)
    flags.add_argument("--merge", required=True)
    args = flags.parse_args()
    table = pd.read_csv(args.bars)
    times, signals, prices = (table[k].to_numpy() for k in ("time_s", "signal", "price"))
    # The recorded close decides, the price at its tick is paid: here the first stands as a bar's open, the second as its close.
    high, low = np.maximum(signals, prices), np.minimum(signals, prices)
    frame = pd.DataFrame({"open": signals, "high": high, "low": low, "close": prices}, index=pd.to_datetime(times, unit="s"))
    frame["volume"] = 1.0
    with open(args.merge, encoding="utf-8") as file:
        figures = json.load(file)
    # Processor time of both where it is known: other work on the machine is then left out.
    keys, rule = figures["keys"], figures["rule"]
    ours = keys.get("rule_cpu_s") or keys["rule_s"]
    figures["peers"] = {}
    for name, run in (("vectorbt", lambda: vectorbt(signals, prices)), ("backtrader", lambda: backtrader(frame)), ("nautilus", lambda: nautilus(times, signals, prices))):
        (wall, cpu), (value, orders) = run()
        seconds = cpu if keys.get("rule_cpu_s") else wall
        figures["peers"][name] = {"seconds": wall, "cpu_seconds": cpu, "last_value": value, "orders": orders, "value_difference": value / rule["last_value"] - 1}
        figures["keys"][f"vs_{name}"] = seconds / ours
        print(f"{name}: {seconds:.4f} s, {seconds / ours:.1f} times ours; value {value:.2f} against {rule['last_value']:.2f}, {orders} orders against {rule['trades']}")
    with open(args.merge, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=2)
        file.write("\n")


main()
