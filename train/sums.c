/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of sums. Shards that come in order leave at most one node of each
 * level behind, as a binary counter does: 28,000 utterances are 875 shards and
 * ten nodes. */
#include "train/sums_internal.h"

#include <string.h>

#include "base/mem.h"

sn_status sni_part_init(sni_part *p, size_t n_gauss, size_t dim, size_t n_rows,
                        sn_err *err) {
  memset(p, 0, sizeof *p);
  p->n_rows = n_rows;
  sn_status s = sn_mix_stats_alloc(&p->mix, n_gauss, dim, err);
  p->loops = sn_calloc(n_rows, sizeof *p->loops);
  p->steps = sn_calloc(n_rows, sizeof *p->steps);
  if (s == SN_OK && (p->loops == NULL || p->steps == NULL))
    s = sn_fail_nomem(err, "statistics");
  if (s != SN_OK) sni_part_clear(p);
  return s;
}

void sni_part_clear(sni_part *p) {
  sn_mix_stats_clear(&p->mix);
  sn_free(p->loops);
  sn_free(p->steps);
  memset(p, 0, sizeof *p);
}

void sni_part_reset(sni_part *p) {
  sn_mix_stats_reset(&p->mix);
  memset(p->loops, 0, p->n_rows * sizeof *p->loops);
  memset(p->steps, 0, p->n_rows * sizeof *p->steps);
  p->ali_logp = 0;
  p->n_frames = p->n_failed = 0;
}

void sni_part_add(sni_part *to, const sni_part *from) {
  SN_ASSERT(to->n_rows == from->n_rows);
  sn_mix_stats_add(&to->mix, &from->mix);
  for (size_t i = 0; i < to->n_rows; i++) {
    to->loops[i] += from->loops[i];
    to->steps[i] += from->steps[i];
  }
  to->ali_logp += from->ali_logp;
  to->n_frames += from->n_frames;
  to->n_failed += from->n_failed;
}

void sni_sums_clear(sni_sums *s) {
  for (size_t i = 0; i < s->nodes.n; i++)
    sni_part_clear(&s->nodes.data[i].part);
  for (size_t i = 0; i < s->spare.n; i++) sni_part_clear(&s->spare.data[i]);
  SN_ARR_FREE(&s->nodes);
  SN_ARR_FREE(&s->spare);
  memset(s, 0, sizeof *s);
}

/* ---- The tree ---- */

static int64_t begin_of(const sni_node *n) { return n->index << n->level; }

static int64_t end_of(const sni_sums *s, const sni_node *n) {
  const int64_t end = (n->index + 1) << n->level;
  return end < s->n_shards ? end : s->n_shards;
}

/* Adds node at + 1 to node at where they are the two halves of one. */
static bool join(sni_sums *s, size_t at) {
  if (at + 1 >= s->nodes.n) return false;
  sni_node *const a = &s->nodes.data[at], *const b = a + 1;
  if (a->level != b->level || a->index % 2 != 0 || b->index != a->index + 1)
    return false;
  sni_part_add(&a->part, &b->part);
  s->spare.data[s->spare.n++] = b->part;
  s->nodes.n--;
  memmove(b, b + 1, (s->nodes.n - at - 1) * sizeof *b);
  a->level++;
  a->index /= 2;
  return true;
}

/* A left half without a right one, at the corpus's end, is the whole. */
static bool rise(const sni_sums *s, sni_node *n) {
  if (n->index % 2 != 0 || begin_of(n) == 0 ||
      (n->index + 1) << n->level < s->n_shards)
    return false;
  n->level++;
  n->index /= 2;
  return true;
}

static void settle(sni_sums *s, size_t at) {
  for (;;) {
    sni_node *const n = &s->nodes.data[at];
    if (rise(s, n) || join(s, at)) continue;
    if (at == 0 || !join(s, at - 1)) return;
    at--;
  }
}

sn_status sni_sums_put(sni_sums *s, int32_t level, int64_t index,
                       sni_part *part, sn_err *err) {
  sni_node node = {.level = level, .index = index};
  size_t at = s->nodes.n;
  while (at > 0 && begin_of(&s->nodes.data[at - 1]) > begin_of(&node)) at--;
  const int64_t first = begin_of(&node);
  if ((at > 0 && end_of(s, &s->nodes.data[at - 1]) > first) ||
      (at < s->nodes.n && end_of(s, &node) > begin_of(&s->nodes.data[at])))
    return sn_fail(err, SN_EARG,
                   "the sums of utterances %lld to %lld are there already",
                   (long long)first * 32 + 1, (long long)end_of(s, &node) * 32);
  sni_part fresh = {0};
  SN_TRY(SN_ARR_RESERVE(&s->nodes, s->nodes.n + 1, err));
  SN_TRY(SN_ARR_RESERVE(&s->spare, s->spare.n + s->nodes.n + 1, err));
  if (s->spare.n > 0)
    fresh = s->spare.data[--s->spare.n];
  else
    SN_TRY(sni_part_init(&fresh, part->mix.n_gauss, part->mix.dim, part->n_rows,
                         err));
  node.part = *part;
  *part = fresh;
  memmove(s->nodes.data + at + 1, s->nodes.data + at,
          (s->nodes.n - at) * sizeof node);
  s->nodes.data[at] = node;
  s->nodes.n++;
  settle(s, at);
  return SN_OK;
}

sni_part *sni_sums_root(sni_sums *s, int64_t *missing) {
  int64_t next = 0;
  for (size_t i = 0; i < s->nodes.n; i++) {
    if (begin_of(&s->nodes.data[i]) != next) break;
    next = end_of(s, &s->nodes.data[i]);
  }
  if (missing != NULL) *missing = next;
  return next == s->n_shards && s->nodes.n == 1 ? &s->nodes.data[0].part : NULL;
}
