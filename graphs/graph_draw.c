/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/graph_draw.c - graphs for people: counts, and Graphviz. */
#include <math.h>

#include "graphs/graph.h"

static int degree_class(int64_t n) { return n < 3 ? (int)n : n < 10 ? 3 : 4; }

void sn_graph_summarise(const sn_graph *g, sn_graph_summary *out) {
  *out = (sn_graph_summary){
      .n_bytes = ((int64_t)g->n_states + 1) * (int64_t)sizeof *g->states +
                 (g->n_emit + g->n_eps) * (int64_t)sizeof *g->emit +
                 (int64_t)g->n_labels * (int64_t)sizeof *g->labels};
  for (int32_t s = 0; s < g->n_states; s++) {
    const sn_graph_state *x = &g->states[s];
    const int64_t n_emit = (int64_t)x[1].first_emit - x[0].first_emit;
    const int64_t n_eps = (int64_t)x[1].first_eps - x[0].first_eps;
    out->n_final += isfinite(x->final_cost) != 0;
    out->n_junctions += x->label < 0;
    out->n_entry += x->label >= 0 && g->labels[x->label].is_entry != 0;
    out->by_emit[degree_class(n_emit)]++;
    if (n_emit > out->max_emit) out->max_emit = n_emit;
    if (n_eps > out->max_eps) out->max_eps = n_eps;
  }
  for (int64_t i = 0; i < g->n_emit; i++)
    out->n_outputs += g->emit[i].output > 0;
  for (int64_t i = 0; i < g->n_eps; i++) out->n_outputs += g->eps[i].output > 0;
}

/* Text within double quotes of Graphviz. */
static sn_status add_quoted(sn_str *out, const char *text, sn_err *err) {
  for (const char *p = text; *p != '\0'; p++) {
    if (*p == '"' || *p == '\\') SN_TRY(sn_str_add(out, "\\", 1, err));
    SN_TRY(sn_str_add(out, p, 1, err));
  }
  return SN_OK;
}

static sn_status draw_state(const sn_graph *g, int32_t s, sn_str *out,
                            sn_err *err) {
  static const char positions[] = "ibes";
  const sn_graph_state *x = &g->states[s];
  SN_TRY(sn_str_addf(out, err, "  %d [shape=%s%s, label=\"", s,
                     isfinite(x->final_cost) ? "doublecircle"
                     : x->label < 0          ? "point"
                                             : "circle",
                     s == g->start ? ", penwidth=3" : ""));
  if (x->label >= 0) {
    const sn_graph_label *l = &g->labels[x->label];
    SN_TRY(add_quoted(out, sn_graph_phone(g, l->phone), err));
    SN_TRY(sn_str_addf(out, err, ".%d", l->hmm_state));
    if (l->is_filler == 0 && l->wordpos < sizeof positions - 1)
      SN_TRY(sn_str_addf(out, err, " %c", positions[l->wordpos]));
    SN_TRY(sn_str_addf(out, err, "\\n%d", l->pdf));
  }
  if (isfinite(x->final_cost))
    SN_TRY(sn_str_addf(out, err, "\\nend %.2f", (double)x->final_cost));
  return sn_str_adds(out, "\"];\n", err);
}

static sn_status draw_arc(const sn_graph *g, int32_t s, const sn_graph_arc *a,
                          sn_str *out, sn_err *err) {
  SN_TRY(sn_str_addf(out, err, "  %d -> %d [label=\"", s, a->next));
  if (a->output > 0) {
    SN_TRY(add_quoted(out, sn_graph_word(g, a->output - 1), err));
    SN_TRY(sn_str_adds(out, " ", err));
  }
  return sn_str_addf(out, err, "%.2f\"%s];\n", (double)a->cost,
                     a->label < 0 ? ", style=dashed" : "");
}

sn_status sn_graph_draw(const sn_graph *g, int32_t max_states, sn_str *out,
                        sn_err *err) {
  if (g->n_states > max_states)
    return sn_fail(err, SN_ELIMIT,
                   "the graph has %d states, which no picture holds; draw "
                   "graphs of up to %d (a small grammar's), or raise "
                   "--max-states",
                   g->n_states, max_states);
  SN_TRY(sn_str_adds(out,
                     "digraph graph_of_senone {\n  rankdir=LR;\n"
                     "  node [fontsize=10];\n  edge [fontsize=9];\n",
                     err));
  for (int32_t s = 0; s < g->n_states; s++) {
    const sn_graph_state *x = &g->states[s];
    SN_TRY(draw_state(g, s, out, err));
    for (uint32_t i = x[0].first_emit; i < x[1].first_emit; i++)
      SN_TRY(draw_arc(g, s, &g->emit[i], out, err));
    for (uint32_t i = x[0].first_eps; i < x[1].first_eps; i++)
      SN_TRY(draw_arc(g, s, &g->eps[i], out, err));
  }
  return sn_str_adds(out, "}\n", err);
}
