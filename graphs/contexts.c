/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/contexts.c - what can have been said before a state of G.
 *
 * The HMM of a word's last phone hangs on the next word's first one, so the
 * graph holds a word's last phone back until then. A junction is a state of G
 * with such a pending phone, its left neighbour and its position. Behind an
 * n-gram history the pronunciations of its last word leave one or two; only
 * the empty history has all (en-us: some 2,000).
 *
 * Found by a walk over G: a word of two phones and more leaves its last two; a
 * word of one phone (E) leaves the pair of the phone pending before it and its
 * own; an arc without a word hands everything on. A left neighbour counts by
 * what it does: phones that give the same HMMs before every right neighbour
 * are the same one (a context-independent model has one left context). */
#include <string.h>

#include "base/mem.h"
#include "graphs/build_internal.h"

enum { MANY = 32 }; /* a state with more contexts gets a bitmap */
/* Above this many phones telling neighbours apart costs more than it saves. */
enum { MAX_CANON_PHONES = 100 };

typedef struct cell {
  int32_t key, next; /* next: in the pool, -1 at the end */
} cell;

typedef struct todo {
  int32_t g, left; /* left: a new left neighbour for g's words, -1: g is new */
} todo;

typedef struct finder {
  const sni_wordgraph *g;
  const sni_prons *prons;
  sni_contexts *out;
  bool fillers;
  SN_ARR(cell) pool;
  SN_ARR(uint8_t) direct; /* of the cells */
  int32_t *head, *count;  /* [G] */
  uint32_t *bitmap;       /* [G] 0 or 1 + number in bitmaps */
  SN_ARR(uint8_t) bitmaps;
  size_t bitmap_bytes;
  uint8_t *lefts; /* [G x left_bytes] left neighbours that g's words can have */
  size_t left_bytes;
  SN_ARR(todo) queue;
} finder;

int32_t sni_contexts_key(const sni_contexts *c, int32_t left, int32_t phone,
                         bool is_single) {
  const int32_t *canon = is_single ? c->canon_single : c->canon_end;
  const int32_t l = canon[phone * c->n_phones + left];
  return (phone * 2 + is_single) * c->n_phones + l;
}

void sni_contexts_unpack(const sni_contexts *c, int32_t key, int32_t *left,
                         int32_t *phone, bool *is_single) {
  *left = key % c->n_phones;
  *is_single = key / c->n_phones % 2 != 0;
  *phone = key / c->n_phones / 2;
}

uint32_t sni_contexts_at(const sni_contexts *c, int32_t g, int32_t key) {
  uint32_t lo = c->first.data[g], hi = c->first.data[g + 1];
  while (lo < hi) {
    const uint32_t mid = lo + (hi - lo) / 2;
    if (c->list.data[mid].key < key)
      lo = mid + 1;
    else
      hi = mid;
  }
  SN_ASSERT(lo < c->first.data[g + 1] && c->list.data[lo].key == key);
  return lo;
}

/* ---- Which left neighbours are the same ---- */

/* Whether `phone` at `pos` has the same units between a and any right
 * neighbour as between b and it. */
static sn_status same_row(sni_units *u, int32_t phone, sn_wordpos pos,
                          int32_t a, int32_t b, const uint8_t *is_right,
                          bool *same, sn_err *err) {
  for (int32_t r = 0; r < u->hmms->n_phones; r++) {
    if (!is_right[r]) continue;
    int32_t x = 0, y = 0;
    SN_TRY(sni_units_triphone(u, phone, a, r, pos, &x, err));
    SN_TRY(sni_units_triphone(u, phone, b, r, pos, &y, err));
    if (x != y) {
      *same = false;
      return SN_OK;
    }
  }
  *same = true;
  return SN_OK;
}

/* canon[left] = the first left neighbour with the same units. */
static sn_status canon_of(sni_units *u, int32_t phone, sn_wordpos pos,
                          const uint8_t *is_used, int32_t *canon, sn_err *err) {
  const int32_t p = u->hmms->n_phones;
  for (int32_t a = 0; a < p; a++) {
    canon[a] = a;
    if (!is_used[a]) continue;
    for (int32_t b = 0; b < a; b++) {
      bool same = false;
      if (!is_used[b] || canon[b] != b) continue;
      SN_TRY(same_row(u, phone, pos, a, b, is_used, &same, err));
      if (same) {
        canon[a] = b;
        break;
      }
    }
  }
  return SN_OK;
}

/* A left neighbour a counts as b where no first and no only phone tells. */
static sn_status canon_lefts(sni_contexts *c, sni_units *u,
                             const uint8_t *is_used, sn_err *err) {
  const int32_t p = c->n_phones;
  for (int32_t a = 0; a < p; a++) {
    if (!is_used[a]) continue;
    for (int32_t b = 0; b < a && c->canon_left[a] == a; b++) {
      if (!is_used[b] || c->canon_left[b] != b) continue;
      bool same = true;
      for (int32_t x = 0; x < p && same; x++) {
        if (!is_used[x]) continue;
        same = c->canon_single[x * p + a] == c->canon_single[x * p + b];
        if (same)
          SN_TRY(same_row(u, x, SN_POS_BEGIN, a, b, is_used, &same, err));
      }
      if (same) c->canon_left[a] = b;
    }
  }
  return SN_OK;
}

static sn_status find_canon(sni_contexts *c, const sni_prons *prons,
                            sni_units *u, sn_err *err) {
  const int32_t p = c->n_phones;
  for (int32_t i = 0; i < p * p; i++)
    c->canon_end[i] = c->canon_single[i] = i % p;
  for (int32_t i = 0; i < p; i++) c->canon_left[i] = i;
  uint8_t *is_used = sn_calloc((size_t)p, 1);
  if (is_used == NULL) return sn_fail_nomem(err, "contexts of phones");
  sn_status s = SN_OK;
  int32_t n_used = 0;
  is_used[c->hmms->silence] = 1;
  for (size_t i = 0; i < prons->prons.n; i++) {
    const sni_pron *x = &prons->prons.data[i];
    is_used[x->first] = is_used[x->last] = 1;
    if (x->second >= 0) is_used[x->second] = is_used[x->last_but] = 1;
  }
  for (int32_t i = 0; i < p; i++) n_used += is_used[i];
  if (n_used > MAX_CANON_PHONES) goto fail;
  for (int32_t x = 0; x < p; x++) {
    if (!is_used[x]) continue;
    SN_TRY_GOTO(s,
                canon_of(u, x, SN_POS_END, is_used, &c->canon_end[x * p], err));
    SN_TRY_GOTO(s, canon_of(u, x, SN_POS_SINGLE, is_used,
                            &c->canon_single[x * p], err));
  }
  SN_TRY_GOTO(s, canon_lefts(c, u, is_used, err));
fail:
  sn_free(is_used);
  return s;
}

/* ---- The walk ---- */

static sn_status reach(finder *f, int32_t g, sn_err *err) {
  if (f->out->is_reached[g]) return SN_OK;
  f->out->is_reached[g] = 1;
  const todo t = {g, -1};
  return SN_ARR_PUSH(&f->queue, t, err);
}

/* A word may begin at g behind the phone `left`. */
static sn_status add_left(finder *f, int32_t g, int32_t left, sn_err *err) {
  const int32_t l = f->out->canon_left[left];
  uint8_t *bits = &f->lefts[(size_t)g * f->left_bytes];
  if ((bits[l / 8] >> l % 8 & 1) != 0) return SN_OK;
  bits[l / 8] = (uint8_t)(bits[l / 8] | 1 << l % 8);
  const todo t = {g, l};
  return SN_ARR_PUSH(&f->queue, t, err);
}

static sn_status add_silence(finder *f, int32_t g, sn_err *err) {
  if (f->out->has_silence[g]) return SN_OK;
  f->out->has_silence[g] = 1;
  SN_TRY(reach(f, g, err));
  SN_TRY(add_left(f, g, f->out->hmms->silence, err));
  const sni_wordgraph *wg = f->g;
  for (uint32_t i = wg->first.data[g]; i < wg->first.data[g + 1]; i++)
    if (wg->arcs.data[i].word < 0)
      SN_TRY(add_silence(f, wg->arcs.data[i].dest, err));
  return SN_OK;
}

/* Two bits a context: it is there; it is direct. */
static bool get_bit(const uint8_t *bits, size_t i) {
  return (bits[i / 8] >> i % 8 & 1) != 0;
}

static void set_bit(uint8_t *bits, size_t i) {
  bits[i / 8] = (uint8_t)(bits[i / 8] | 1 << i % 8);
}

static sn_status make_bitmap(finder *f, int32_t g, sn_err *err) {
  const size_t at = f->bitmaps.n;
  SN_TRY(SN_ARR_RESIZE(&f->bitmaps, at + f->bitmap_bytes, err));
  uint8_t *bits = &f->bitmaps.data[at];
  memset(bits, 0, f->bitmap_bytes);
  for (int32_t i = f->head[g]; i >= 0; i = f->pool.data[i].next) {
    const size_t k = (size_t)f->pool.data[i].key;
    set_bit(bits, 2 * k);
    if (f->direct.data[i] != 0) set_bit(bits, 2 * k + 1);
  }
  f->bitmap[g] = (uint32_t)(at / f->bitmap_bytes) + 1;
  return SN_OK;
}

/* Whether g has the context already; if so, notes that it is direct. */
static bool find(finder *f, int32_t g, int32_t key, bool is_direct) {
  if (f->bitmap[g] != 0) {
    uint8_t *bits = &f->bitmaps.data[(f->bitmap[g] - 1) * f->bitmap_bytes];
    const bool is_known = get_bit(bits, 2 * (size_t)key);
    set_bit(bits, 2 * (size_t)key);
    if (is_direct) set_bit(bits, 2 * (size_t)key + 1);
    return is_known;
  }
  for (int32_t i = f->head[g]; i >= 0; i = f->pool.data[i].next)
    if (f->pool.data[i].key == key) {
      if (is_direct) f->direct.data[i] = 1;
      return true;
    }
  return false;
}

/* Adds a context and what follows from it along arcs without words, whose
 * chains are as long as the n-gram model's order. */
static sn_status add(finder *f, int32_t g, int32_t key, bool is_direct,
                     sn_err *err) {
  if (find(f, g, key, is_direct)) return SN_OK;
  const cell c = {key, f->head[g]};
  SN_TRY(SN_ARR_RESERVE(&f->direct, f->pool.n + 1, err));
  SN_TRY(SN_ARR_PUSH(&f->pool, c, err));
  f->direct.data[f->direct.n++] = is_direct;
  f->head[g] = (int32_t)f->pool.n - 1;
  if (++f->count[g] == MANY) SN_TRY(make_bitmap(f, g, err));
  SN_TRY(reach(f, g, err));
  int32_t left = 0, phone = 0;
  bool is_single = false;
  sni_contexts_unpack(f->out, key, &left, &phone, &is_single);
  SN_TRY(add_left(f, g, phone, err));
  if (is_direct && f->fillers) SN_TRY(add_silence(f, g, err));
  const sni_wordgraph *wg = f->g;
  for (uint32_t i = wg->first.data[g]; i < wg->first.data[g + 1]; i++)
    if (wg->arcs.data[i].word < 0)
      SN_TRY(add(f, wg->arcs.data[i].dest, key, false, err));
  return SN_OK;
}

/* The words of a state: those of several phones when the state is new, those
 * of one phone behind every new left neighbour. */
static sn_status follow(finder *f, todo t, sn_err *err) {
  const sni_wordgraph *wg = f->g;
  for (uint32_t i = wg->first.data[t.g]; i < wg->first.data[t.g + 1]; i++) {
    const sni_g_arc *a = &wg->arcs.data[i];
    if (a->word < 0) continue;
    const int32_t w = wg->lexicon.data[a->word];
    for (uint32_t k = f->prons->word_first.data[w];
         k < f->prons->word_first.data[w + 1]; k++) {
      const sni_pron *p = &f->prons->prons.data[k];
      if ((p->n_phones == 1) != (t.left >= 0)) continue;
      const int32_t left = p->n_phones == 1 ? t.left : p->last_but;
      SN_TRY(add(f, a->dest,
                 sni_contexts_key(f->out, left, p->last, p->n_phones == 1),
                 true, err));
    }
  }
  return SN_OK;
}

/* The lists, ascending by key, into one array. */
static sn_status collect(finder *f, sn_err *err) {
  sni_contexts *c = f->out;
  const int32_t n = f->g->n_states;
  SN_TRY(SN_ARR_RESIZE(&c->first, (size_t)n + 1, err));
  SN_TRY(SN_ARR_RESIZE(&c->list, f->pool.n, err));
  uint32_t at = 0;
  for (int32_t g = 0; g < n; g++) {
    const uint32_t from = at;
    c->first.data[g] = at;
    if (f->bitmap[g] != 0) {
      const uint8_t *bits =
          &f->bitmaps.data[(f->bitmap[g] - 1) * f->bitmap_bytes];
      for (size_t k = 0; k < f->bitmap_bytes * 4; k++)
        if (get_bit(bits, 2 * k))
          c->list.data[at++] =
              (sni_context){(int32_t)k, get_bit(bits, 2 * k + 1)};
      continue;
    }
    for (int32_t i = f->head[g]; i >= 0; i = f->pool.data[i].next) {
      const sni_context x = {f->pool.data[i].key, f->direct.data[i]};
      uint32_t to = at++;
      for (; to > from && c->list.data[to - 1].key > x.key; to--)
        c->list.data[to] = c->list.data[to - 1];
      c->list.data[to] = x;
    }
  }
  c->first.data[n] = at;
  return SN_OK;
}

static sn_status alloc(finder *f, sn_err *err) {
  sni_contexts *c = f->out;
  const size_t n = (size_t)f->g->n_states, p = (size_t)c->n_phones;
  c->is_reached = sn_calloc(n, 1);
  c->has_silence = sn_calloc(n, 1);
  c->has_eps_in = sn_calloc(n, 1);
  c->canon_end = sn_calloc(p * p, sizeof *c->canon_end);
  c->canon_single = sn_calloc(p * p, sizeof *c->canon_single);
  c->canon_left = sn_calloc(p, sizeof *c->canon_left);
  f->head = sn_calloc(n, sizeof *f->head);
  f->count = sn_calloc(n, sizeof *f->count);
  f->bitmap = sn_calloc(n, sizeof *f->bitmap);
  f->left_bytes = (p + 7) / 8;
  f->bitmap_bytes = (4 * p * p + 7) / 8;
  f->lefts = sn_calloc(n, f->left_bytes);
  if (c->is_reached == NULL || c->has_silence == NULL ||
      c->has_eps_in == NULL || c->canon_end == NULL ||
      c->canon_single == NULL || c->canon_left == NULL || f->head == NULL ||
      f->count == NULL || f->bitmap == NULL || f->lefts == NULL)
    return sn_fail_nomem(err, "contexts of phones");
  for (size_t i = 0; i < n; i++) f->head[i] = -1;
  for (size_t i = 0; i < f->g->arcs.n; i++)
    if (f->g->arcs.data[i].word < 0) c->has_eps_in[f->g->arcs.data[i].dest] = 1;
  return SN_OK;
}

sn_status sni_contexts_find(const sni_wordgraph *g, const sni_prons *prons,
                            sni_units *units, bool fillers, sn_log *log,
                            sni_contexts *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  out->hmms = units->hmms;
  out->n_phones = units->hmms->n_phones;
  finder f = {.g = g, .prons = prons, .out = out, .fillers = fillers};
  sn_status s = SN_OK;
  SN_TRY_GOTO(s, alloc(&f, err));
  SN_TRY_GOTO(s, find_canon(out, prons, units, err));
  SN_TRY_GOTO(s, add_silence(&f, g->start, err));
  while (f.queue.n > 0) {
    if (sn_log_cancelled(log)) {
      s = sn_fail(err, SN_ECANCEL, "interrupted while compiling the graph");
      goto fail;
    }
    SN_TRY_GOTO(s, follow(&f, f.queue.data[--f.queue.n], err));
  }
  SN_TRY_GOTO(s, collect(&f, err));
fail:
  SN_ARR_FREE(&f.pool);
  SN_ARR_FREE(&f.direct);
  SN_ARR_FREE(&f.bitmaps);
  SN_ARR_FREE(&f.queue);
  sn_free(f.head);
  sn_free(f.count);
  sn_free(f.bitmap);
  sn_free(f.lefts);
  if (s != SN_OK) sni_contexts_clear(out);
  return s;
}

void sni_contexts_clear(sni_contexts *c) {
  SN_ARR_FREE(&c->first);
  SN_ARR_FREE(&c->list);
  sn_free(c->is_reached);
  sn_free(c->has_silence);
  sn_free(c->has_eps_in);
  sn_free(c->canon_end);
  sn_free(c->canon_single);
  sn_free(c->canon_left);
  memset(c, 0, sizeof *c);
}
