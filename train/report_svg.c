/* SPDX-License-Identifier: Apache-2.0 */
/* Learning curves and decision trees as SVG.
 *
 * Curves: three panels one below the other, all passes of all stages from left
 * to right. Trees: leaves one below the other, a parent half-way between its
 * children; as children stand behind their parents, one sweep back counts
 * leaves and one sweep forward gives places, without recursion. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/report.h"

enum {
  WIDTH = 860,
  LEFT = 80,
  RIGHT = 20,
  TOP = 50,
  PANEL = 180,
  GAP = 50,
  N_PANELS = 3,
  ROW = 34,
  COLUMN = 210,
  MAX_LABEL = 26 /* characters of a question that are drawn; all in a hint */
};

/* Text of XML: what it does not allow becomes a question mark. */
static sn_status add_text(sn_str *out, const char *s, size_t n, sn_err *err) {
  for (size_t i = 0; i < n; i++) {
    const unsigned char c = (unsigned char)s[i];
    sn_status st = SN_OK;
    switch (c) {
      case '&':
        st = sn_str_adds(out, "&amp;", err);
        break;
      case '<':
        st = sn_str_adds(out, "&lt;", err);
        break;
      case '>':
        st = sn_str_adds(out, "&gt;", err);
        break;
      case '"':
        st = sn_str_adds(out, "&quot;", err);
        break;
      default:
        st = c < 0x20 ? sn_str_adds(out, "?", err)
                      : sn_str_add(out, s + i, 1, err);
    }
    SN_TRY(st);
  }
  return SN_OK;
}

static sn_status head(sn_str *out, double w, double h, sn_err *err) {
  return sn_str_addf(
      out, err,
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
      "height=\"%.0f\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"%.0f\" height=\"%.0f\" fill=\"white\"/>\n",
      w, h, w, h);
}

/* ---- Curves ---- */

typedef struct panel {
  const char *title;
  double lo, hi, y; /* values at the bottom and the top; the top in pixels */
  bool counts;
} panel;

static double value_of(const sn_train_pass *p, int which) {
  return which == 0   ? p->logp
         : which == 1 ? (double)p->gaussians
                      : (double)p->failed;
}

static size_t n_all(const sn_train_log *logs, size_t n) {
  size_t all = 0;
  for (size_t i = 0; i < n; i++) all += logs[i].n_passes;
  return all;
}

static double x_of(size_t at, size_t all) {
  return LEFT + ((double)at + 0.5) * (WIDTH - LEFT - RIGHT) /
                    (double)(all < 1 ? 1 : all);
}

static double y_of(const panel *p, double v) {
  return p->y + PANEL - (v - p->lo) / (p->hi - p->lo) * PANEL;
}

/* 1, 2 or 5 times a power of ten, about a fifth of the range; of counts, no
 * part of one. */
static double step_of(double range, bool counts) {
  const double raw = range / 5, ten = pow(10, floor(log10(raw)));
  const double m = raw / ten;
  const double step = ten * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
  return counts ? fmax(step, 1) : step;
}

static void fit(panel *p, const sn_train_log *logs, size_t n, int which) {
  p->lo = INFINITY;
  p->hi = -INFINITY;
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < logs[i].n_passes; k++) {
      const double v = value_of(&logs[i].passes[k], which);
      p->lo = fmin(p->lo, v);
      p->hi = fmax(p->hi, v);
    }
  p->counts = which > 0;
  if (p->counts) p->lo = 0;
  if (!(p->hi - p->lo > 1e-9 * fmax(1, fabs(p->hi)))) p->hi = p->lo + 1;
  const double step = step_of(p->hi - p->lo, p->counts);
  p->lo = floor(p->lo / step) * step;
  p->hi = ceil(p->hi / step) * step;
}

static sn_status axes(const panel *p, sn_str *out, sn_err *err) {
  const double step = step_of(p->hi - p->lo, p->counts);
  SN_TRY(sn_str_addf(out, err,
                     "<text x=\"%d\" y=\"%.1f\" font-weight=\"bold\">%s</text>"
                     "\n",
                     LEFT, p->y - 8, p->title));
  for (int i = 0; i <= 20; i++) {
    const double v = p->lo + i * step;
    if (v > p->hi + step / 2) break;
    SN_TRY(sn_str_addf(
        out, err,
        "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>"
        "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n",
        LEFT, y_of(p, v), WIDTH - RIGHT, y_of(p, v), LEFT - 6, y_of(p, v) + 4,
        fabs(v) < 1e-9 * step ? 0.0 : v));
  }
  return SN_OK;
}

static sn_status curve(const panel *p, const sn_train_log *l, size_t from,
                       size_t all, int which, const char *colour, sn_str *out,
                       sn_err *err) {
  SN_TRY(sn_str_addf(out, err,
                     "<polyline fill=\"none\" stroke=\"%s\" "
                     "stroke-width=\"1.5\" points=\"",
                     colour));
  for (size_t k = 0; k < l->n_passes; k++)
    SN_TRY(sn_str_addf(out, err, "%s%.1f,%.1f", k > 0 ? " " : "",
                       x_of(from + k, all),
                       y_of(p, value_of(&l->passes[k], which))));
  SN_TRY(sn_str_adds(out, "\"/>\n", err));
  for (size_t k = 0; k < l->n_passes; k++) {
    const sn_train_pass *const a = &l->passes[k];
    SN_TRY(sn_str_addf(
        out, err,
        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\"><title>",
        x_of(from + k, all), y_of(p, value_of(a, which)),
        a->aligned ? "2.5" : "1", colour));
    SN_TRY(add_text(out, l->stage, strlen(l->stage), err));
    SN_TRY(sn_str_addf(out, err, " pass %lld: %.6g%s</title></circle>\n",
                       (long long)a->pass, value_of(a, which),
                       a->aligned ? ", aligned anew" : ""));
  }
  return SN_OK;
}

static sn_status names(const sn_train_log *logs, size_t n, size_t all,
                       const char *const *colours, size_t n_colours,
                       sn_str *out, sn_err *err) {
  const double bottom = TOP + N_PANELS * (PANEL + GAP) - GAP;
  for (size_t i = 0, at = 0; i < n; at += logs[i++].n_passes) {
    const double x = x_of(at, all) - 0.5 * (x_of(1, all) - x_of(0, all));
    SN_TRY(sn_str_addf(out, err,
                       "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.1f\" "
                       "stroke=\"#bbb\"/><text x=\"%.1f\" y=\"18\" "
                       "fill=\"%s\" font-weight=\"bold\">",
                       x, TOP, x, bottom, x + 2, colours[i % n_colours]));
    SN_TRY(add_text(out, logs[i].stage, strlen(logs[i].stage), err));
    SN_TRY(sn_str_adds(out, "</text>\n", err));
  }
  return sn_str_addf(out, err,
                     "<text x=\"%d\" y=\"%.1f\" text-anchor=\"middle\">passes "
                     "of each stage, from left to right; large dots: aligned "
                     "anew</text>\n",
                     (LEFT + WIDTH - RIGHT) / 2, bottom + 24);
}

sn_status sn_report_curves_svg(const sn_train_log *logs, size_t n, sn_str *out,
                               sn_err *err) {
  static const char *const colours[] = {"#1f6fb4", "#c0392b", "#2e8b57",
                                        "#8e44ad", "#b8860b", "#555"};
  static const char *const titles[N_PANELS] = {
      "Log-likelihood, nat a frame", "Gaussians", "Utterances not aligned"};
  const size_t n_colours = sizeof colours / sizeof *colours;
  const size_t all = n_all(logs, n);
  SN_TRY(head(out, WIDTH, TOP + N_PANELS * (PANEL + GAP), err));
  SN_TRY(names(logs, n, all, colours, n_colours, out, err));
  for (int w = 0; w < N_PANELS; w++) {
    panel p = {.title = titles[w], .y = TOP + w * (PANEL + GAP)};
    fit(&p, logs, n, w);
    SN_TRY(axes(&p, out, err));
    for (size_t i = 0, at = 0; i < n; at += logs[i++].n_passes)
      SN_TRY(curve(&p, &logs[i], at, all, w, colours[i % n_colours], out, err));
  }
  return sn_str_adds(out, "</svg>\n", err);
}

/* ---- Trees ---- */

typedef struct place {
  int32_t leaves, first, depth; /* first: row of its first leaf; -1: not of
                                   this phone */
} place;

static void count_leaves(const sn_report_tree *t, place *at) {
  for (size_t i = t->n_nodes; i-- > 0;) {
    const sn_report_node *const n = &t->nodes[i];
    at[i].leaves = n->yes < 0 ? 1 : at[n->yes].leaves + at[n->no].leaves;
    at[i].first = -1;
  }
}

const char *sn_report_tree_largest(const sn_report_tree *t) {
  const char *best = NULL;
  int64_t most = 0;
  place *const at = sn_calloc(t->n_nodes, sizeof *at);
  if (at == NULL) return NULL;
  count_leaves(t, at);
  for (size_t i = 0; i < t->n_roots;) {
    const char *const phone = t->roots[i].phone;
    int64_t n = 0;
    for (; i < t->n_roots && strcmp(t->roots[i].phone, phone) == 0; i++)
      n += at[t->roots[i].node].leaves;
    if (n <= most) continue;
    most = n;
    best = phone;
  }
  sn_free(at);
  return best;
}

static sn_status no_phone(const sn_report_tree *t, const char *phone,
                          sn_err *err) {
  sn_str all = {0};
  sn_status s = SN_OK;
  const char *last = "";
  for (size_t i = 0; s == SN_OK && i < t->n_roots; i++) {
    if (strcmp(t->roots[i].phone, last) == 0) continue;
    last = t->roots[i].phone;
    s = sn_str_addf(&all, err, " %s", last);
  }
  if (s == SN_OK)
    s = sn_fail(err, SN_EARG, "no phone '%s' in the trees; there are:%s", phone,
                sn_str_get(&all));
  sn_str_clear(&all);
  return s;
}

/* Rows and depths; *n_rows = leaves, *depth = of the deepest. */
static void lay_out(const sn_report_tree *t, const char *phone, place *at,
                    int32_t *n_rows, int32_t *depth) {
  *n_rows = *depth = 0;
  for (size_t i = 0; i < t->n_roots; i++) {
    place *const p = &at[t->roots[i].node];
    if (strcmp(t->roots[i].phone, phone) != 0 || p->first >= 0) continue;
    if (*n_rows > 0) ++*n_rows; /* the name of this root stands above it */
    p->first = *n_rows;
    p->depth = 1; /* the name of the phone stands at the left */
    *n_rows += p->leaves;
  }
  for (size_t i = 0; i < t->n_nodes; i++) {
    const sn_report_node *const n = &t->nodes[i];
    if (at[i].first < 0) continue;
    if (at[i].depth > *depth) *depth = at[i].depth;
    if (n->yes < 0) continue;
    at[n->yes].first = at[i].first;
    at[n->no].first = at[i].first + at[n->yes].leaves;
    at[n->yes].depth = at[n->no].depth = at[i].depth + 1;
  }
}

static double node_x(const place *p) { return 10 + (p->depth - 1) * COLUMN; }
static double node_y(const place *p) {
  return 40 + (p->first + 0.5 * p->leaves) * ROW;
}

static sn_status edge(const place *from, const place *to, bool yes, sn_str *out,
                      sn_err *err) {
  const double x1 = node_x(from) + COLUMN - 40, x2 = node_x(to);
  return sn_str_addf(
      out, err,
      "<path d=\"M%.1f %.1f L%.1f %.1f\" stroke=\"%s\" fill=\"none\"/>"
      "<text x=\"%.1f\" y=\"%.1f\" font-size=\"9\" fill=\"#555\">%s</text>\n",
      x1, node_y(from), x2, node_y(to), yes ? "#2e8b57" : "#c0392b", x2 - 18,
      node_y(to) + (yes ? -6 : 12), yes ? "yes" : "no");
}

/* Cuts at a blank. */
static size_t label_len(const char *set) {
  size_t n = strlen(set);
  if (n <= MAX_LABEL) return n;
  n = MAX_LABEL - 4;
  while (n > 0 && set[n] != ' ') n--;
  return n > 0 ? n : MAX_LABEL - 4;
}

static sn_status box(const sn_report_node *n, const place *p,
                     const sn_train_log *log, const int32_t *gauss, sn_str *out,
                     sn_err *err) {
  SN_TRY(sn_str_addf(out, err,
                     "<g transform=\"translate(%.1f %.1f)\">"
                     "<rect y=\"-15\" width=\"%d\" height=\"30\" rx=\"4\" "
                     "fill=\"%s\" stroke=\"#888\"/>",
                     node_x(p), node_y(p), COLUMN - 40,
                     n->yes < 0 ? "#eef6ee" : "#f4f4fa"));
  if (n->yes < 0)
    return sn_str_addf(out, err,
                       "<text x=\"6\" y=\"-2\">pdf %d</text><text x=\"6\" "
                       "y=\"11\" font-size=\"10\">%.0f frames, %d "
                       "Gaussians</text></g>\n",
                       n->pdf, log->occupancy[n->pdf], gauss[n->pdf]);
  SN_TRY(sn_str_adds(out, "<title>", err));
  SN_TRY(add_text(out, n->set, strlen(n->set), err));
  SN_TRY(sn_str_addf(out, err,
                     "</title><text x=\"6\" y=\"-2\" font-size=\"10\">%s is"
                     "%s</text><text x=\"6\" y=\"11\" font-size=\"10\">",
                     n->asks, n->n_set > 1 ? " one of" : ""));
  const size_t len = label_len(n->set);
  SN_TRY(add_text(out, n->set, len, err));
  return sn_str_addf(out, err, "%s</text></g>\n",
                     n->set[len] != '\0' ? " ..." : "");
}

static sn_status draw_roots(const sn_report_tree *t, const char *phone,
                            const place *at, sn_str *out, sn_err *err) {
  for (size_t i = 0; i < t->n_roots; i++) {
    const sn_report_root *const r = &t->roots[i];
    const place *const p = &at[r->node];
    if (strcmp(r->phone, phone) != 0) continue;
    SN_TRY(sn_str_addf(out, err,
                       "<text x=\"%.1f\" y=\"%.1f\" font-weight=\"bold\">",
                       node_x(p), node_y(p) - 20));
    SN_TRY(add_text(out, phone, strlen(phone), err));
    SN_TRY(r->n_states > 1
               ? sn_str_addf(out, err, ", states %d to %d</text>\n",
                             r->first_state, r->first_state + r->n_states - 1)
               : sn_str_addf(out, err, ", state %d</text>\n", r->first_state));
  }
  return SN_OK;
}

static sn_status draw_nodes(const sn_report_tree *t, const place *at,
                            const sn_train_log *log, const int32_t *gauss,
                            sn_str *out, sn_err *err) {
  for (size_t i = 0; i < t->n_nodes; i++) {
    const sn_report_node *const n = &t->nodes[i];
    if (at[i].first < 0) continue;
    if (n->yes < 0 && n->pdf >= log->pdfs)
      return sn_fail(err, SN_EMISMATCH,
                     "a leaf of the tree has pdf %d, stage %s has %lld", n->pdf,
                     log->stage, (long long)log->pdfs);
    if (n->yes >= 0) {
      SN_TRY(edge(&at[i], &at[n->yes], true, out, err));
      SN_TRY(edge(&at[i], &at[n->no], false, out, err));
    }
    SN_TRY(box(n, &at[i], log, gauss, out, err));
  }
  return SN_OK;
}

sn_status sn_report_tree_svg(const sn_report_tree *t, const char *phone,
                             const sn_train_log *log, const int32_t *gauss,
                             sn_str *out, sn_err *err) {
  int32_t n_rows = 0, depth = 0;
  place *const at = sn_calloc(t->n_nodes, sizeof *at);
  if (at == NULL) return sn_fail_nomem(err, "report");
  count_leaves(t, at);
  lay_out(t, phone, at, &n_rows, &depth);
  sn_status s =
      n_rows == 0 ? no_phone(t, phone, err)
                  : head(out, 20.0 + depth * COLUMN, 60.0 + n_rows * ROW, err);
  if (s == SN_OK) s = draw_nodes(t, at, log, gauss, out, err);
  if (s == SN_OK) s = draw_roots(t, phone, at, out, err);
  if (s == SN_OK) s = sn_str_adds(out, "</svg>\n", err);
  sn_free(at);
  return s;
}
