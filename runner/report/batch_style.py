"""How the page of a batch's report looks, in light and in dark: the one style sheet that it allows."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --ink: #1d2126; --quiet: #68707a; --line: #e3e5e8; --soft: #f1f2f4;
  --good: #2e8b57; --none: #5f8f8b; --bad: #c7443f; --halt: #b98a2e; --busy: #3b76c4; --wait: #9aa2ac;
  --granted: #dfe7f2; --used: #3b76c4; --plus: #e5f4ea; --minus: #fbe9e8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1b1f23; --ink: #e2e5e8; --quiet: #98a1ab; --line: #2d3339; --soft: #22272c;
    --good: #4fae7b; --none: #6fa8a3; --bad: #e0706b; --halt: #d3a64c; --busy: #6b9fe0; --wait: #737c86;
    --granted: #263346; --used: #6b9fe0; --plus: #1c3325; --minus: #3b2223;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 1180px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.55rem; font-weight: 650; margin: 0 .6rem 0 0; overflow-wrap: anywhere; display: inline; }
h2 { font-size: 1.05rem; font-weight: 650; margin: 2.6rem 0 .8rem; }
h3 { font-size: .82rem; font-weight: 650; margin: 1.3rem 0 .4rem; color: var(--quiet); }
p { margin: .5rem 0; }
a { color: inherit; text-decoration-color: var(--wait); text-underline-offset: 2px; }
code, pre { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
.quiet, .more { color: var(--quiet); }
.more { font-size: .85rem; }
.pill {
  display: inline-block; padding: .05rem .55rem; border-radius: 1rem; border: 1px solid; font-size: .8rem;
  white-space: nowrap; vertical-align: .1em;
}
.pill.good { color: var(--good); } .pill.none { color: var(--none); } .pill.bad { color: var(--bad); }
.pill.halt { color: var(--halt); } .pill.busy { color: var(--busy); } .pill.wait { color: var(--wait); }
.totals { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1.5rem 0 0; }
.totals div {
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .55rem .9rem; min-width: 7.2rem;
}
.totals dt { font-size: .8rem; color: var(--quiet); }
.totals dd { margin: 0; font-size: 1.1rem; font-variant-numeric: tabular-nums; }
.sheet { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .9rem 1rem; }
.scroll { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 640px; height: auto; font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .label { font-size: 12px; } svg .tick { font-size: 11px; fill: var(--quiet); } svg .middle { text-anchor: middle; }
svg .end { text-anchor: end; }
svg .grid { stroke: var(--line); } svg .floor { stroke: var(--wait); stroke-width: .6; }
svg .wait { stroke: var(--wait); stroke-dasharray: 2 3; }
svg .break { fill: var(--soft); } svg .granted { fill: var(--granted); }
svg .used { fill: none; stroke: var(--used); stroke-width: 1.4; stroke-linejoin: round; }
svg .number { font-size: 10px; fill: var(--card); pointer-events: none; }
svg .bar.good { fill: var(--good); } svg .bar.none { fill: var(--none); } svg .bar.bad { fill: var(--bad); }
svg .bar.halt { fill: var(--halt); } svg .bar.busy { fill: var(--busy); } svg .bar.again { opacity: .55; }
svg a:hover .bar { opacity: .75; }
.legend { display: flex; flex-wrap: wrap; gap: 1.1rem; margin: .7rem 0 0; font-size: .82rem; color: var(--quiet); }
.legend i {
  display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .35rem; vertical-align: -.1em;
}
.legend .good { background: var(--good); } .legend .none { background: var(--none); }
.legend .bad { background: var(--bad); }
.legend .halt { background: var(--halt); } .legend .busy { background: var(--busy); }
.legend .granted { background: var(--granted); }
.legend .used { background: var(--used); height: .15rem; vertical-align: .25em; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; }
th { text-align: left; font-weight: 600; color: var(--quiet); font-size: .8rem; white-space: nowrap; }
th, td { padding: .38rem .7rem .38rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td { overflow-wrap: anywhere; }
td.count, th.count { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.name { min-width: 8rem; } td.branch { min-width: 9rem; }
td .why { color: var(--quiet); font-size: .82rem; }
details.task { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; }
details.task > summary { padding: .55rem 1rem; cursor: pointer; overflow-wrap: anywhere; }
details.task > summary b { font-weight: 600; margin-right: .5rem; }
details.task > summary .quiet { margin-left: .5rem; font-size: .87rem; }
details.task > .body { padding: 0 1rem 1rem; border-top: 1px solid var(--line); scroll-margin-top: 3.2rem; }
details.attempt { border-top: 1px solid var(--line); margin-top: 1rem; padding-top: .5rem; }
details.attempt > summary, details.patch > summary { cursor: pointer; }
details.patch > summary { font-size: .82rem; font-weight: 650; margin: 1.3rem 0 .4rem; color: var(--quiet); }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: .8rem 0; font-size: .9rem; }
.facts dt { color: var(--quiet); } .facts dd { margin: 0; overflow-wrap: anywhere; }
ul { margin: .2rem 0; padding-left: 1.2rem; font-size: .9rem; } li { overflow-wrap: anywhere; }
pre {
  margin: .3rem 0; padding: .7rem .9rem; background: var(--soft); border-radius: .4rem; overflow: auto;
  max-height: 34rem; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext;
}
pre.diff { white-space: pre; tab-size: 4; }
pre.diff span { display: block; min-height: 1.5em; }
pre.diff .plus { background: var(--plus); } pre.diff .minus { background: var(--minus); }
pre.diff .file { font-weight: 650; } pre.diff .place { color: var(--busy); }
@media print { pre { max-height: none; } details.task { break-inside: avoid; } }
"""
