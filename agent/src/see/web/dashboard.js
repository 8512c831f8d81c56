// The dashboard: draws what the agent tells. Every message is the whole view; text only ever enters as text.
'use strict';
const at = id => document.getElementById(id);
const make = (name, text, cls) => { const e = document.createElement(name); if (text !== undefined) e.textContent = text; if (cls) e.className = cls; return e; };
const svg = (name, set = {}, text) => { const e = document.createElementNS('http://www.w3.org/2000/svg', name); for (const k in set) e.setAttribute(k, set[k]); if (text !== undefined) e.textContent = text; return e; };
const tiny = v => v !== 0 && Math.abs(v) < 1e-3;
const number = (v, digits) => v == null ? '–' : v.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const whole = v => number(v, 0);
const money = v => v != null && tiny(v) ? v.toExponential(3) : number(v, Math.abs(v ?? 0) < 10 ? 4 : 2);
const amount = v => v != null && tiny(v) ? v.toExponential(3) : number(v, Math.abs(v ?? 0) < 100 ? 4 : 2);
const percent = (bps, sign) => bps == null ? '–' : (sign && bps > 0 ? '+' : '') + number(bps / 100, 2).replace('-', '−') + ' %';
const utc = s => new Date(s * 1000).toISOString().slice(0, 19).replace('T', ' ');
const day = (s, span) => { const t = new Date(s * 1000).toISOString(); return span > 3 * 86400 ? t.slice(0, 10) : t.slice(5, 16).replace('T', ' '); };
const span = s => s < 120 ? `${whole(s)} s` : s < 7200 ? `${whole(s / 60)} min` : s < 172800 ? `${whole(s / 3600)} h` : `${whole(s / 86400)} days`;
let last = null, heard = 0, drawn = '';

function facts(id, rows) {
  at(id).replaceChildren(...rows.filter(r => r[1] != null && r[1] !== '').flatMap(([k, v, cls]) => [make('dt', k), make('dd', v, cls)]));
}

function figures(v) {
  const f = v.figures, q = v.about.pair.quote, b = v.about.pair.base;
  const card = (name, value, unit, sub, cls) => {
    const box = make('div'), dd = make('dd', value, cls);
    if (unit) dd.append(' ', make('small', unit));
    box.append(make('dt', name), dd);
    if (sub) box.append(make('dd', sub, 'sub'));
    return box;
  };
  const better = f.return_bps == null ? '' : f.return_bps >= 0 ? 'up' : 'down';
  at('figures').replaceChildren(
    card('Price', money(f.price_quote), `${q} a ${b}`, 'mean of the last interval'),
    card('Vault', money(f.vault_quote), q, `${amount(f.quote_amount)} ${q}, ${amount(f.base_amount)} ${b}`),
    card('Weight of ' + b, f.weight_bps == null ? '–' : number(f.weight_bps / 100, 1) + ' %', '', v.about.mandate ? `at most ${number(v.about.mandate.limits.max_weight_bps / 100, 0)} %` : ''),
    card('Result a share', percent(f.return_bps, true), '', `buy and hold ${percent(f.hold_return_bps, true)}`, better),
    card('Decisions', whole(f.decided), '', `${f.buys} buys, ${f.sells} sells, ${f.unfilled} not filled`),
    card('Proof backlog', whole(f.decided - Math.min(f.decided, v.about.paper ? f.proven : Math.max(f.posted, f.settled ?? 0))), 'decisions', v.about.paper ? 'in no proof' : 'in no proof on chain'),
  );
}

// A round step of which about `n` fit.
function ticks(lo, hi, n) {
  const raw = (hi - lo) / n || 1, ten = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map(m => m * ten).find(s => s >= raw);
  const out = [];
  for (let t = Math.ceil(lo / step) * step; t <= hi + step * 1e-9; t += step) out.push(t);
  return [out, Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9) + (/^[2.]*25/.test(String(step / ten * 10)) ? 1 : 0)))];
}

function chart(id, label, points, lines, marks) {
  const box = at(id), W = Math.max(280, box.clientWidth), H = box.clientHeight || 240, left = 4, right = 66, top = 8, bottom = 22;
  if (points.length < 2) { box.replaceChildren(make('p', 'Drawn from the second decision on.', 'empty')); return; }
  const t0 = points[0].time_s, t1 = points[points.length - 1].time_s;
  const all = points.flatMap(p => lines.map(l => p[l.key])).concat(marks.map(m => m.price_quote));
  let lo = Infinity, hi = -Infinity;
  for (const v of all) { if (v < lo) lo = v; if (v > hi) hi = v; }
  const pad = (hi - lo) * .07 || Math.abs(hi) * .01 || 1; lo -= pad; hi += pad;
  const x = t => left + (t - t0) / (t1 - t0 || 1) * (W - left - right), y = v => top + (hi - v) / (hi - lo) * (H - top - bottom);
  const root = svg('svg', { viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': label });
  root.append(svg('title', {}, label));
  const [levels, digits] = ticks(lo, hi, 4);
  for (const v of levels) root.append(svg('line', { class: 'grid', x1: left, x2: W - right, y1: y(v), y2: y(v) }), svg('text', { x: W - right + 8, y: y(v) + 4 }, tiny(hi) ? v.toExponential(2) : number(v, digits)));
  const count = W < 420 ? 2 : 4;
  for (let i = 0; i <= count; i++) {
    const t = t0 + (t1 - t0) * i / count;
    root.append(svg('text', { x: x(t), y: H - 4, 'text-anchor': i === 0 ? 'start' : i === count ? 'end' : 'middle' }, day(t, t1 - t0)));
  }
  for (const l of lines) root.append(svg('path', { class: l.cls, d: points.map((p, i) => `${i ? 'L' : 'M'}${x(p.time_s).toFixed(1)} ${y(p[l.key]).toFixed(1)}`).join('') }));
  for (const m of marks) if (m.time_s >= t0) {
    const buy = m.side === 'buy', cx = x(m.time_s), cy = y(m.price_quote) + (buy ? 9 : -9), d = buy ? -7 : 7;
    const mark = svg('path', { class: buy ? 'buy' : 'sell', d: `M${cx - 4.5} ${cy}h9l-4.5 ${d}z` });
    mark.append(svg('title', {}, `${buy ? 'Buy' : 'Sell'}, decision ${m.step}, ${utc(m.time_s)} UTC, ${money(m.price_quote)}`));
    root.append(mark);
  }
  box.replaceChildren(root);
}

function charts(v) {
  const q = v.about.pair.quote, b = v.about.pair.base, p = v.points, f = v.figures;
  at('n-equity').textContent = p.length ? `Worth of the first ${money(p[0].portfolio_quote)} ${q}, deposits and withdrawals taken out, in ${q}` : '';
  at('n-price').textContent = `${q} a ${b}, mean of each interval` + (v.trades.length < f.buys + f.sells ? `; the newest ${v.trades.length} trades` : '');
  chart('equity', `Portfolio ${percent(f.return_bps, true)}, buy and hold ${percent(f.hold_return_bps, true)} since the first decision`, p, [{ key: 'hold_quote', cls: 'hold' }, { key: 'portfolio_quote', cls: 'portfolio' }], []);
  chart('price', `Price of ${b} in ${q}, now ${money(f.price_quote)}, with ${v.trades.length} trades`, p, [{ key: 'price_quote', cls: 'price' }], v.trades);
}

function pipeline(v) {
  const f = v.figures;
  at('pipeline').replaceChildren(...[['In the journal', f.decided], ...(v.about.paper ? [] : [['On chain', f.on_chain]]), ['Folded', f.folded], ['Proven', f.proven], ...(v.about.paper ? [] : [['Proof posted', f.posted]]), ...(f.settled == null ? [] : [['Settled', f.settled]])].map(([name, n]) => {
    const box = make('div'), bar = make('progress');
    bar.max = Math.max(1, f.decided); bar.value = Math.min(n, f.decided); bar.setAttribute('aria-label', `${name}: ${n} of ${f.decided} decisions`);
    box.append(make('span', name), make('b', whole(n)), bar);
    return box;
  }));
  const cost = [f.fold_ms != null && `last fold ${whole(f.fold_ms)} ms`, f.compress_s != null && `last compression ${number(f.compress_s, 1)} s`, f.proof_bytes != null && `proof ${whole(f.proof_bytes)} bytes`];
  at('n-proof').textContent = cost.filter(Boolean).join(', ');
}

const CHAIN = { journaled: 'journaled', sent: 'sent', on_chain: 'on chain', not_filled: 'no fill', paper: 'paper', paper_not_filled: 'paper, no fill' };

function rows(v) {
  const q = v.about.pair.quote, b = v.about.pair.base;
  at('c-price').textContent = `Price, ${q}`;
  at('n-decisions').textContent = v.decisions.length < v.figures.decided ? `the newest ${v.decisions.length} of ${whole(v.figures.decided)}` : `${whole(v.figures.decided)}`;
  const focus = document.activeElement?.dataset?.hash;
  at('rows').replaceChildren(...v.decisions.map(d => {
    const tr = make('tr'), what = make('td'), tx = make('td', undefined, 'hex');
    what.append(make('span', d.side ?? 'hold', 'act ' + (d.side ?? 'hold')));
    if (d.side) {
      const [given, got] = d.side === 'buy' ? [q, b] : [b, q];
      what.append(` ${amount(d.amount_in)} ${given}` + (d.amount_out == null ? '' : ` for ${amount(d.amount_out)} ${got}`));
    }
    if (d.takes_over) what.append(make('span', ' new weights', 'state sent'));
    if (d.halted) what.append(make('span', ' only sells', 'state not_filled'));
    if (d.tx_hash && v.about.paper) tx.textContent = d.tx_hash;
    else if (d.tx_hash) {
      const copy = make('button', `${d.tx_hash.slice(0, 10)}…${d.tx_hash.slice(-6)}`, 'copy');
      copy.type = 'button'; copy.title = d.tx_hash; copy.dataset.hash = d.tx_hash; copy.setAttribute('aria-label', `Copy transaction ${d.tx_hash}`);
      tx.append(copy);
    }
    tr.append(make('td', String(d.step), 'n'), make('td', utc(d.time_s)), make('td', money(d.price_quote), 'n'), make('td', number(d.weight_bps / 100, 1), 'n'), what,
      make('td', CHAIN[d.execution] ?? d.execution, 'state ' + d.execution), make('td', d.proof, 'state ' + d.proof), make('td', whole(d.gas_used), 'n'), tx);
    return tr;
  }));
  if (focus) document.querySelector(`[data-hash="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
}

function health() {
  if (!last) return;
  const h = last.health, f = last.figures, skew = last.at_s - heard, now = Date.now() / 1000 + skew, ago = s => s == null ? null : span(Math.max(0, now - s)) + ' ago';
  facts('health', [['State', h.state], ...(h.reason ? [['Why', h.reason]] : []), ...(h.drawdown_at_step == null ? [] : [['Drawdown limit', `met at decision ${h.drawdown_at_step}`]]), ['Last answer of the node', ago(h.observed_at_s)], ['Last decision made', ago(h.decided_at_s)], ['Block of the last observation', h.block_number == null ? null : whole(h.block_number)],
    ['Gas, last decision', f.gas_used_last == null ? null : whole(f.gas_used_last)], ['Gas, all transactions', whole(f.gas_used_total)], ['Source', last.about.source]]);
}

function mandate(v) {
  const m = v.about.mandate;
  if (!m) return;
  const l = m.limits, p = bps => number(bps / 100, 2) + ' %';
  facts('mandate', [['Interval', span(m.interval_s)], ['Weight, at most', p(l.max_weight_bps)], ['Trade, at most', p(l.max_trade_bps)], ['Trade, at least', p(l.min_trade_bps)],
    ['Turnover, at most', `${p(l.max_turnover_bps)} in ${l.turnover_window_steps} decisions`], ['Drawdown, halts at', p(l.max_drawdown_bps)], ['Slippage, at most', p(l.max_slippage_bps)],
    ['Proof engine', m.proof_engine], ['Decisions a fold', String(m.decisions_per_fold)], ['Chain id', String(m.chain_id)]]);
  at('model').className = 'facts tall';
  const ahead = v.about.rotation_ahead, turned = v.about.commitment_in_force !== v.about.model_commitment;
  facts('model', [['Model', v.about.model_commitment, 'hex'], ...(turned ? [['Weights in force', v.about.commitment_in_force, 'hex']] : []),
    ...(ahead ? [[`Weights from decision ${ahead.at_step}`, ahead.commitment, 'hex']] : []), ['Mandate digest', v.about.mandate_digest, 'hex'], ['Vault', v.about.paper ? 'none: on paper' : m.vault, 'hex'], ['Pool', m.pool, 'hex']]);
}

function show(v) {
  last = v; heard = Date.now() / 1000;
  const h = v.health;
  document.title = `${h.state === 'active' ? '' : h.state + ' · '}${v.about.paper ? 'paper · ' : ''}probity ${v.about.pair.base}/${v.about.pair.quote}`;
  at('pair').textContent = v.about.pair.base ? `${v.about.pair.base}/${v.about.pair.quote}` : '';
  at('simulated').hidden = !v.about.simulated;
  at('paper').hidden = !v.about.paper;
  if (at('state').textContent !== h.state) at('state').textContent = h.state;
  at('state').dataset.state = h.state;
  at('reason').hidden = !h.reason;
  if (at('reason').textContent !== (h.reason ?? '')) at('reason').textContent = h.reason ?? '';
  figures(v); charts(v); pipeline(v); rows(v); health();
  const promise = JSON.stringify(v.about);
  if (promise !== drawn) { mandate(v); drawn = promise; }
  document.body.dataset.decided = v.figures.decided;
}

document.addEventListener('click', e => { const hash = e.target.dataset?.hash; if (hash) navigator.clipboard?.writeText(hash).then(() => { at('link').textContent = 'transaction copied'; }); });
new ResizeObserver(() => last && charts(last)).observe(at('equity'));
setInterval(health, 1000);

const source = new EventSource('api/events');
source.addEventListener('view', e => { at('link').textContent = ''; show(JSON.parse(e.data)); });
source.onerror = () => { at('link').textContent = 'connection lost, trying again'; if (!last) { at('state').textContent = 'no connection'; at('state').dataset.state = 'lost'; } };
