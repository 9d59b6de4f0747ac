/* SPDX-License-Identifier: Apache-2.0 */
/* Reading HTK's Standard Lattice Format (writing: lat_slf_write.c).
 *
 *   1. lines into nodes and links, as they come; nothing is allocated by what
 *      N= and L= claim;
 *   2. node numbers to indices: each of 0 .. N-1 exactly once;
 *   3. cycles are looked for here, so that the message has a line;
 *   4. start and end, from the header or from the links;
 *   5. states and arcs. An arc carries its length as the only label of its
 *      alignment until the builder is done;
 *   6. lengths become alignments, which all share one run of zeros. */
#include "decoder/lat_slf.h"

#include <math.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"

#define NO_WORD "!NULL"
/* More than any recording has: keeps an altered time from asking for the
 * whole memory. */
#define MAX_FRAMES (1 << 24)

void sn_slf_head_clear(sn_slf_head *h) {
  sn_str_clear(&h->utterance);
  memset(h, 0, sizeof *h);
}

typedef struct node {
  int32_t id, word, frame; /* frame -1: no time */
  double acoustic;         /* cost of the word that ends here */
  int64_t line;
} node;

typedef struct link {
  int32_t id, from, to, word;
  bool has_word, has_acoustic;
  double graph, acoustic;
  int64_t line;
} link;

typedef struct slf {
  sn_reader *r;
  double frame_s, tscale, base;
  int32_t n_nodes, n_links, start, end; /* -1: not said */
  SN_ARR(node) nodes;
  SN_ARR(link) links;
  sn_lat_words *words;
  sn_slf_head head;
  sn_str value;
  bool implied; /* nodes without lines of their own */
} slf;

static void slf_clear(slf *x) {
  SN_ARR_FREE(&x->nodes);
  SN_ARR_FREE(&x->links);
  sn_slf_head_clear(&x->head);
  sn_str_clear(&x->value);
}

/* A failure on a line read before. */
static sn_status bad_line(const slf *x, int64_t line, sn_err *err,
                          const char *what, int32_t which) {
  return sn_fail(err, SN_EFORMAT, "%s:%lld: %s%d", sn_reader_name(x->r),
                 (long long)line, what, which);
}

/* ---- 1: fields ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* The character that \ooo or \c stands for; advances *p behind it. */
static char unescape(const char **p, const char *end) {
  if (end - *p >= 3 && (*p)[0] >= '0' && (*p)[0] <= '3' && (*p)[1] >= '0' &&
      (*p)[1] <= '7' && (*p)[2] >= '0' && (*p)[2] <= '7') {
    const int c = ((*p)[0] - '0') * 64 + ((*p)[1] - '0') * 8 + ((*p)[2] - '0');
    *p += 3;
    return (char)c;
  }
  return *(*p)++;
}

/* The next name=value of a line; value unquoted into x->value. */
static sn_status next_field(slf *x, sn_span *rest, sn_span *name, bool *more,
                            sn_err *err) {
  const char *p = rest->p, *const end = rest->p + rest->n;
  while (p < end && is_blank(*p)) p++;
  *more = p < end;
  if (!*more) return SN_OK;
  name->p = p;
  while (p < end && *p != '=' && !is_blank(*p)) p++;
  name->n = (size_t)(p - name->p);
  if (p == end || *p != '=' || name->n == 0)
    return sn_reader_fail(x->r, err, "expected name=value, found '%.*s'",
                          (int)(name->n < 60 ? name->n : 60), name->p);
  p++;
  sn_str_reset(&x->value);
  const char quote = p < end && (*p == '"' || *p == '\'') ? *p++ : '\0';
  bool closed = quote == '\0';
  while (p < end) {
    if (quote != '\0' ? *p == quote : is_blank(*p)) {
      closed = true;
      if (quote != '\0') p++;
      break;
    }
    char c = *p++;
    if (c == '\\' && p < end) c = unescape(&p, end);
    if (c == '\0') return sn_reader_fail(x->r, err, "a NUL byte");
    SN_TRY(sn_str_add(&x->value, &c, 1, err));
  }
  if (!closed || (quote != '\0' && p < end && !is_blank(*p)))
    return sn_reader_fail(x->r, err, "the value of %.*s= has an open quote",
                          (int)(name->n < 60 ? name->n : 60), name->p);
  rest->n = (size_t)(end - p);
  rest->p = p;
  return SN_OK;
}

static sn_status bad_value(const slf *x, sn_span name, const char *want,
                           sn_err *err) {
  return sn_reader_fail(x->r, err, "%.*s=%.60s is not %s",
                        (int)(name.n < 60 ? name.n : 60), name.p,
                        sn_str_get(&x->value), want);
}

static sn_status get_int(const slf *x, sn_span name, int32_t *out,
                         sn_err *err) {
  const sn_span text = {sn_str_get(&x->value), x->value.n};
  if (!sn_parse_int32(text, out) || *out < 0)
    return bad_value(x, name, "a whole number", err);
  return SN_OK;
}

static sn_status get_number(const slf *x, sn_span name, double *out,
                            sn_err *err) {
  const sn_span text = {sn_str_get(&x->value), x->value.n};
  if (!sn_parse_double(text, out) || !isfinite(*out) || fabs(*out) > 1e30)
    return bad_value(x, name, "a number", err);
  return SN_OK;
}

/* A score as a cost in natural logarithms. */
static sn_status get_cost(const slf *x, sn_span name, double *out,
                          sn_err *err) {
  double v = 0.0;
  const sn_span text = {sn_str_get(&x->value), x->value.n};
  if (x->base > 0.0 && (sn_span_eq(text, "-inf") || sn_span_eq(text, "-Inf"))) {
    *out = HUGE_VAL;
    return SN_OK;
  }
  SN_TRY(get_number(x, name, &v, err));
  if (x->base > 0.0) {
    *out = -v * log(x->base);
  } else {
    if (v < 0.0) return bad_value(x, name, "a probability (base=0)", err);
    *out = -log(v);
  }
  return SN_OK;
}

static sn_status get_word(const slf *x, sn_span name, int32_t *out,
                          sn_err *err) {
  *out = 0;
  if (strcmp(sn_str_get(&x->value), NO_WORD) == 0) return SN_OK;
  if (x->value.n == 0) return bad_value(x, name, "a word", err);
  if (x->words == NULL) return get_int(x, name, out, err);
  return sn_lat_words_add(x->words, x->value.data, x->value.n, out, err);
}

static bool named(sn_span name, const char *shorter, const char *longer) {
  return sn_span_eq(name, shorter) || sn_span_eq(name, longer);
}

static sn_status read_head_field(slf *x, sn_span name, sn_err *err) {
  if (named(name, "N", "NODES")) return get_int(x, name, &x->n_nodes, err);
  if (named(name, "L", "LINKS")) return get_int(x, name, &x->n_links, err);
  if (sn_span_eq(name, "start")) return get_int(x, name, &x->start, err);
  if (sn_span_eq(name, "end")) return get_int(x, name, &x->end, err);
  if (sn_span_eq(name, "acscale"))
    return get_number(x, name, &x->head.acscale, err);
  if (sn_span_eq(name, "lmscale"))
    return get_number(x, name, &x->head.lmscale, err);
  if (sn_span_eq(name, "wdpenalty"))
    return get_number(x, name, &x->head.wdpenalty, err);
  if (named(name, "U", "UTTERANCE")) {
    sn_str_reset(&x->head.utterance);
    return sn_str_adds(&x->head.utterance, sn_str_get(&x->value), err);
  }
  if (sn_span_eq(name, "tscale")) {
    SN_TRY(get_number(x, name, &x->tscale, err));
    if (x->tscale <= 0.0) return bad_value(x, name, "above 0", err);
    return SN_OK;
  }
  if (sn_span_eq(name, "base")) {
    SN_TRY(get_number(x, name, &x->base, err));
    if (x->base < 0.0 || x->base == 1.0)
      return bad_value(x, name, "a base of logarithms, or 0", err);
    return SN_OK;
  }
  if (named(name, "S", "SUBLAT"))
    return sn_reader_fail(x->r, err, "sub-lattices are not read");
  if (sn_span_eq(name, "dir") && strcmp(sn_str_get(&x->value), "f") != 0)
    return bad_value(x, name, "f: backward lattices are not read", err);
  return SN_OK; /* whatever others add */
}

static sn_status read_node(slf *x, sn_span rest, sn_err *err) {
  node n = {-1, 0, -1, 0.0, sn_reader_line_no(x->r)};
  sn_span name;
  bool more;
  for (;;) {
    SN_TRY(next_field(x, &rest, &name, &more, err));
    if (!more) break;
    if (sn_span_eq(name, "I")) {
      SN_TRY(get_int(x, name, &n.id, err));
    } else if (named(name, "t", "time")) {
      double t = 0.0;
      SN_TRY(get_number(x, name, &t, err));
      t = floor(t * x->tscale / x->frame_s + 0.5);
      if (t < 0.0 || t > MAX_FRAMES)
        return bad_value(x, name, "a time (at most 16,777,216 frames)", err);
      n.frame = (int32_t)t;
    } else if (named(name, "W", "WORD")) {
      SN_TRY(get_word(x, name, &n.word, err));
    } else if (named(name, "a", "acoustic")) {
      SN_TRY(get_cost(x, name, &n.acoustic, err));
    } else if (sn_span_eq(name, "L")) {
      return sn_reader_fail(x->r, err, "sub-lattices are not read");
    }
  }
  if (n.id >= x->n_nodes)
    return sn_reader_fail(x->r, err, "node I=%d, but N=%d", n.id, x->n_nodes);
  return SN_ARR_PUSH(&x->nodes, n, err);
}

static sn_status read_link(slf *x, sn_span rest, sn_err *err) {
  link l = {-1, -1, -1, 0, false, false, 0.0, 0.0, sn_reader_line_no(x->r)};
  double lm = 0.0, ngram = 0.0, pron = 0.0;
  bool has_lm = false, more;
  sn_span name;
  for (;;) {
    SN_TRY(next_field(x, &rest, &name, &more, err));
    if (!more) break;
    if (sn_span_eq(name, "J")) {
      SN_TRY(get_int(x, name, &l.id, err));
    } else if (named(name, "S", "START")) {
      SN_TRY(get_int(x, name, &l.from, err));
    } else if (named(name, "E", "END")) {
      SN_TRY(get_int(x, name, &l.to, err));
    } else if (named(name, "W", "WORD")) {
      SN_TRY(get_word(x, name, &l.word, err));
      l.has_word = true;
    } else if (named(name, "a", "acoustic")) {
      SN_TRY(get_cost(x, name, &l.acoustic, err));
      l.has_acoustic = true;
    } else if (named(name, "l", "language")) {
      SN_TRY(get_cost(x, name, &lm, err));
      has_lm = true;
    } else if (named(name, "n", "ngram")) {
      SN_TRY(get_cost(x, name, &ngram, err));
    } else if (sn_span_eq(name, "r")) {
      SN_TRY(get_cost(x, name, &pron, err));
    }
  }
  l.graph = (has_lm ? lm : ngram) + pron;
  if (l.id >= x->n_links)
    return sn_reader_fail(x->r, err, "link J=%d, but L=%d", l.id, x->n_links);
  if (l.from < 0 || l.to < 0)
    return sn_reader_fail(x->r, err, "link J=%d has no %s", l.id,
                          l.from < 0 ? "S= (start)" : "E= (end)");
  if (l.from >= x->n_nodes || l.to >= x->n_nodes)
    return sn_reader_fail(x->r, err, "link J=%d from %d to %d, but N=%d", l.id,
                          l.from, l.to, x->n_nodes);
  return SN_ARR_PUSH(&x->links, l, err);
}

static bool begins(sn_span line, const char *with) {
  const size_t n = strlen(with);
  return line.n >= n && memcmp(line.p, with, n) == 0;
}

static sn_status read_lines(slf *x, sn_err *err) {
  bool ended = false;
  for (;;) {
    sn_span line;
    bool more;
    SN_TRY(sn_read_line(x->r, &line, &more, err));
    if (!more) return SN_OK;
    line = sn_span_trim(line);
    if (line.n == 0 || line.p[0] == '#') continue;
    if (ended)
      return sn_reader_fail(x->r, err,
                            "more behind the end of the lattice ('.'): one "
                            "lattice a file is read");
    if (sn_span_eq(line, ".")) {
      ended = true;
      continue;
    }
    const bool is_node = begins(line, "I="), is_link = begins(line, "J=");
    if ((is_node || is_link) && (x->n_nodes < 0 || x->n_links < 0))
      return sn_reader_fail(x->r, err, "no %s before the first %s",
                            x->n_nodes < 0 ? "N= (nodes)" : "L= (links)",
                            is_node ? "node" : "link");
    if (is_node) {
      SN_TRY(read_node(x, line, err));
    } else if (is_link) {
      SN_TRY(read_link(x, line, err));
    } else {
      if (x->nodes.n > 0 || x->links.n > 0)
        return sn_reader_fail(x->r, err, "neither a node (I=) nor a link (J=)");
      for (;;) {
        sn_span name;
        SN_TRY(next_field(x, &line, &name, &more, err));
        if (!more) break;
        SN_TRY(read_head_field(x, name, err));
      }
    }
  }
}

/* ---- 2: numbers ---- */

/* Sorts the nodes by number. */
static sn_status order_nodes(slf *x, sn_err *err) {
  const size_t n = (size_t)x->n_nodes;
  x->implied = x->nodes.n == 0 && n > 0;
  if (x->implied) { /* nodes need no lines if they have no fields */
    if (n > 2 * x->links.n + 1)
      return sn_fail(err, SN_EFORMAT,
                     "%s:%lld: N=%d nodes, but no line of a node and %zu links",
                     sn_reader_name(x->r), (long long)sn_reader_line_no(x->r),
                     x->n_nodes, x->links.n);
    for (int32_t i = 0; i < x->n_nodes; i++) {
      const node plain = {i, 0, -1, 0.0, 0};
      SN_TRY(SN_ARR_PUSH(&x->nodes, plain, err));
    }
    return SN_OK;
  }
  if (x->nodes.n > n)
    return bad_line(x, x->nodes.data[n].line, err,
                    "more nodes than the header's N=", x->n_nodes);
  /* As many places as lines: nothing is allocated by what N= claims. */
  const size_t n_lines = x->nodes.n;
  node *const sorted = sn_calloc(n_lines, sizeof *sorted);
  if (sorted == NULL) return sn_fail_nomem(err, "lattice");
  for (size_t i = 0; i < n_lines; i++) sorted[i].id = -1;
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < n_lines; i++) {
    const node *const from = &x->nodes.data[i];
    if ((size_t)from->id >= n_lines) continue;
    if (sorted[from->id].id >= 0)
      s = bad_line(x, from->line, err, "a second node I=", from->id);
    else
      sorted[from->id] = *from;
  }
  size_t missing = 0;
  while (missing < n_lines && sorted[missing].id >= 0) missing++;
  if (s == SN_OK && missing < n)
    s = sn_fail(err, SN_EFORMAT,
                "%s:%lld: ends without node I=%zu; the header says N=%d: is "
                "the file cut short?",
                sn_reader_name(x->r), (long long)sn_reader_line_no(x->r),
                missing, x->n_nodes);
  if (s == SN_OK && n > 0) memcpy(x->nodes.data, sorted, n * sizeof *sorted);
  sn_free(sorted);
  return s;
}

static sn_status check_links(const slf *x, sn_err *err) {
  const size_t n = (size_t)x->n_links;
  if (x->links.n < n)
    return sn_fail(err, SN_EFORMAT,
                   "%s:%lld: ends after %zu links; the header says L=%d: is "
                   "the file cut short?",
                   sn_reader_name(x->r), (long long)sn_reader_line_no(x->r),
                   x->links.n, x->n_links);
  if (x->links.n > n)
    return bad_line(x, x->links.data[n].line, err,
                    "more links than the header's L=", x->n_links);
  unsigned char *const seen = sn_calloc(n, 1);
  if (seen == NULL) return sn_fail_nomem(err, "lattice");
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < n; i++) {
    const link *const l = &x->links.data[i];
    if (seen[l->id]++ != 0)
      s = bad_line(x, l->line, err, "a second link J=", l->id);
  }
  sn_free(seen);
  return s;
}

/* ---- 3: cycles ---- */

/* Takes away nodes without remaining links into them (Kahn 1962); what stays is
 * on a cycle or behind one. */
static sn_status find_cycle(const slf *x, int32_t *n_in, int32_t *first,
                            int32_t *out_links, int32_t *queue, sn_err *err) {
  const size_t n = x->nodes.n;
  for (size_t i = 0; i < x->links.n; i++) {
    n_in[x->links.data[i].to]++;
    first[x->links.data[i].from + 1]++;
  }
  for (size_t i = 0; i < n; i++) first[i + 1] += first[i];
  for (size_t i = x->links.n; i-- > 0;)
    out_links[--first[x->links.data[i].from + 1]] = (int32_t)i;
  /* now first[s + 1] is where the links of s begin */
  size_t done = 0, waiting = 0;
  for (size_t i = 0; i < n; i++)
    if (n_in[i] == 0) queue[waiting++] = (int32_t)i;
  while (done < waiting) {
    const int32_t s = queue[done++];
    const size_t end = (size_t)s + 2 <= n ? (size_t)first[s + 2] : x->links.n;
    for (size_t k = (size_t)first[s + 1]; k < end; k++) {
      const int32_t to = x->links.data[out_links[k]].to;
      if (--n_in[to] == 0) queue[waiting++] = to;
    }
  }
  if (done == n) return SN_OK;
  /* Each node that stays has a link from another that stays: going back along
   * them comes to the cycle. */
  int32_t at = 0;
  while (n_in[at] == 0) at++;
  for (size_t i = 0; i < x->links.n; i++) {
    const link *const l = &x->links.data[i];
    if (n_in[l->from] > 0 && n_in[l->to] > 0) queue[l->to] = (int32_t)i;
  }
  for (size_t i = 0; i < n; i++) at = x->links.data[queue[at]].from;
  const link *const l = &x->links.data[queue[at]];
  return sn_fail(err, SN_EFORMAT,
                 "%s:%lld: link J=%d from node %d to node %d is part of a "
                 "cycle; lattices have none",
                 sn_reader_name(x->r), (long long)l->line, l->id, l->from,
                 l->to);
}

static sn_status check_acyclic(const slf *x, sn_err *err) {
  const size_t n = x->nodes.n;
  int32_t *const n_in = sn_calloc(n, sizeof *n_in);
  int32_t *const first = sn_calloc(n + 1, sizeof *first);
  int32_t *const out_links = sn_calloc(x->links.n, sizeof *out_links);
  int32_t *const queue = sn_calloc(n, sizeof *queue);
  const sn_status s = n_in && first && out_links && queue
                          ? find_cycle(x, n_in, first, out_links, queue, err)
                          : sn_fail_nomem(err, "lattice");
  sn_free(n_in);
  sn_free(first);
  sn_free(out_links);
  sn_free(queue);
  return s;
}

/* ---- 4: start and end ---- */

/* The only node that no link leads to (from), or the one that was named. */
static sn_status find_terminal(const slf *x, bool want_start, int32_t *which,
                               sn_err *err) {
  const char *const name = want_start ? "start" : "end";
  if (*which >= x->n_nodes)
    return sn_fail(err, SN_EFORMAT, "%s: %s=%d, but N=%d", sn_reader_name(x->r),
                   name, *which, x->n_nodes);
  if (*which >= 0) return SN_OK;
  unsigned char *const busy = sn_calloc(x->nodes.n, 1);
  if (busy == NULL) return sn_fail_nomem(err, "lattice");
  for (size_t i = 0; i < x->links.n; i++)
    busy[want_start ? x->links.data[i].to : x->links.data[i].from] = 1;
  sn_status s = SN_OK;
  for (int32_t i = 0; s == SN_OK && i < x->n_nodes; i++) {
    if (busy[i] != 0) continue;
    if (*which >= 0)
      s = sn_fail(err, SN_EFORMAT,
                  "%s:%lld: nodes %d and %d may both be the %s; the header "
                  "must name it (%s=)",
                  sn_reader_name(x->r), (long long)x->nodes.data[i].line,
                  *which, i, name, name);
    *which = i;
  }
  sn_free(busy);
  return s;
}

/* ---- 5: states and arcs ---- */

static sn_status n_frames_of(const slf *x, const link *l, int32_t *n,
                             sn_err *err) {
  const node *const from = &x->nodes.data[l->from], *const to =
                                                        &x->nodes.data[l->to];
  *n = 0;
  if (from->frame < 0 && to->frame < 0) return SN_OK;
  if (from->frame < 0 || to->frame < 0)
    return bad_line(x, l->line, err, "this link needs the time (t=) of node ",
                    from->frame < 0 ? l->from : l->to);
  if (to->frame < from->frame)
    return sn_fail(err, SN_EFORMAT,
                   "%s:%lld: link J=%d ends %d frames before it begins",
                   sn_reader_name(x->r), (long long)l->line, l->id,
                   from->frame - to->frame);
  *n = to->frame - from->frame;
  return SN_OK;
}

static sn_status add_links(const slf *x, sn_lat_builder *b, bool end_has_links,
                           unsigned char *is_final, sn_err *err) {
  for (size_t i = 0; i < x->links.n; i++) {
    const link *const l = &x->links.data[i];
    const node *const to = &x->nodes.data[l->to];
    const int32_t word = l->has_word ? l->word : to->word;
    const float graph = (float)l->graph;
    const float acoustic =
        (float)(l->has_acoustic ? l->acoustic : to->acoustic);
    int32_t n = 0;
    SN_TRY(n_frames_of(x, l, &n, err));
    if (!(graph > -INFINITY) || !(acoustic > -INFINITY))
      return bad_line(x, l->line, err, "costs out of range on link J=", l->id);
    if (word == 0 && l->to == x->end && !end_has_links &&
        is_final[l->from] == 0) {
      is_final[l->from] = 1;
      SN_TRY(sn_lat_builder_final(b, l->from, graph, acoustic, &n, n > 0, err));
    } else {
      SN_TRY(sn_lat_builder_arc(b, l->from, l->to, word, graph, acoustic, &n,
                                n > 0, err));
    }
  }
  return SN_OK;
}

static sn_status build(const slf *x, sn_lat_builder *b, sn_lat *out,
                       sn_err *err) {
  bool end_has_links = false;
  int32_t id = 0, start = x->start;
  for (size_t i = 0; i < x->nodes.n; i++)
    SN_TRY(sn_lat_builder_state(b, &id, err));
  for (size_t i = 0; i < x->links.n; i++)
    end_has_links = end_has_links || x->links.data[i].from == x->end;
  const node *const first = &x->nodes.data[x->start];
  if (first->word != 0) { /* a word that has ended where the lattice begins */
    SN_TRY(sn_lat_builder_state(b, &start, err));
    SN_TRY(sn_lat_builder_arc(b, start, x->start, first->word, 0.0f,
                              (float)first->acoustic, NULL, 0, err));
  }
  unsigned char *const is_final = sn_calloc(x->nodes.n, 1);
  if (is_final == NULL) return sn_fail_nomem(err, "lattice");
  sn_status s = add_links(x, b, end_has_links, is_final, err);
  sn_free(is_final);
  if (s == SN_OK) s = sn_lat_builder_final(b, x->end, 0.0f, 0.0f, NULL, 0, err);
  if (s == SN_OK) s = sn_lat_builder_take(b, start, out, err);
  if (s != SN_OK) sn_err_context(err, "%s", sn_reader_name(x->r));
  return s;
}

/* ---- 6: alignments ---- */

static sn_status spread_lengths(sn_lat *l, sn_err *err) {
  uint32_t longest = 0;
  for (uint32_t i = 0; i < l->n_ali; i++)
    if ((uint32_t)l->ali[i] > longest) longest = (uint32_t)l->ali[i];
  int32_t *const zeros = sn_calloc(longest, sizeof *zeros);
  if (zeros == NULL) return sn_fail_nomem(err, "lattice");
  for (int32_t i = 0; i < l->n_arcs; i++) {
    sn_lat_arc *const a = &l->arcs[i];
    if (a->n_ali > 0) a->n_ali = (uint32_t)l->ali[a->first_ali];
    a->first_ali = 0;
  }
  for (int32_t i = 0; i < l->n_states; i++) {
    sn_lat_state *const s = &l->states[i];
    if (s->n_ali > 0) s->n_ali = (uint32_t)l->ali[s->first_ali];
    s->first_ali = 0;
  }
  sn_free(l->ali);
  l->ali = zeros;
  l->n_ali = longest;
  return SN_OK;
}

static sn_status read_all(slf *x, sn_lat *out, sn_err *err) {
  SN_TRY(read_lines(x, err));
  if (sn_reader_line_no(x->r) == 0)
    return sn_fail(err, SN_EFORMAT, "%s: no lattice in it: it is empty",
                   sn_reader_name(x->r));
  if (x->n_nodes < 0 || x->n_links < 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s:%lld: no lattice here: the line N=... L=... is missing",
                   sn_reader_name(x->r), (long long)sn_reader_line_no(x->r));
  SN_TRY(check_links(x, err));
  SN_TRY(order_nodes(x, err));
  if (x->n_nodes == 0) return SN_OK;
  SN_TRY(check_acyclic(x, err));
  SN_TRY(find_terminal(x, true, &x->start, err));
  SN_TRY(find_terminal(x, false, &x->end, err));
  sn_lat_builder *b = NULL;
  SN_TRY(sn_lat_builder_create(&b, err));
  sn_status s = build(x, b, out, err);
  sn_lat_builder_destroy(b);
  if (s == SN_OK && out->n_states > 0) s = spread_lengths(out, err);
  if (s != SN_OK) sn_lat_clear(out);
  return s;
}

sn_status sn_lat_read_slf(sn_reader *r, double frame_s, sn_lat_words *words,
                          sn_slf_head *head, sn_lat *out, sn_err *err) {
  slf x = {.r = r,
           .frame_s = frame_s,
           .tscale = 1.0,
           .base = exp(1.0),
           .n_nodes = -1,
           .n_links = -1,
           .start = -1,
           .end = -1,
           .words = words};
  SN_ASSERT(frame_s > 0.0);
  x.head.acscale = x.head.lmscale = 1.0;
  memset(out, 0, sizeof *out);
  if (head != NULL) memset(head, 0, sizeof *head);
  const sn_status s = read_all(&x, out, err);
  if (s == SN_OK && head != NULL) {
    if (x.base > 0.0) x.head.wdpenalty *= log(x.base);
    *head = x.head;
    memset(&x.head, 0, sizeof x.head);
  }
  slf_clear(&x);
  return s;
}
