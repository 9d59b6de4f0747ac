/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/node_store.c - states of the search graph, each stored once.
 *
 * A state is its label and its arcs. Those behind it are made first, so equal
 * remainders of words get equal numbers from the bottom up, and the graph
 * between two junctions is minimal as soon as it is built (Revuz 1992, by
 * hashing). An n-gram model's graph is some 1.3 arcs a node; a node then costs
 * 4 (label) + 4 (offset) + 16 (arcs) + 16 (hash) bytes. The table keeps 32 bits
 * of the hash beside the number, so that a node is looked at, which is a miss
 * of all caches, only where it is the one. */
#include <string.h>

#include "base/mem.h"
#include "graphs/build_internal.h"

enum { FIRST_MASK = (1 << 16) - 1 };

sn_status sni_nodes_init(sni_nodes *n, sn_err *err) {
  memset(n, 0, sizeof *n);
  n->mask = FIRST_MASK;
  n->hash = sn_calloc(n->mask + 1, sizeof *n->hash);
  if (n->hash == NULL || SN_ARR_PUSH(&n->first, 0, NULL) != SN_OK ||
      SN_ARR_PUSH(&n->junction_first, 0, NULL) != SN_OK) {
    sni_nodes_clear(n);
    return sn_fail_nomem(err, "states of the graph");
  }
  return SN_OK;
}

void sni_nodes_clear(sni_nodes *n) {
  SN_ARR_FREE(&n->arcs);
  SN_ARR_FREE(&n->labels);
  SN_ARR_FREE(&n->first);
  SN_ARR_FREE(&n->junction_arcs);
  SN_ARR_FREE(&n->junction_first);
  sn_free(n->hash);
  memset(n, 0, sizeof *n);
}

static uint64_t hash_of(int32_t label, const sni_arc *arcs, size_t n) {
  uint64_t h = (uint64_t)(uint32_t)label * 0x9e3779b97f4a7c15u;
  for (size_t i = 0; i < n; i++) {
    h ^= (uint64_t)(uint32_t)arcs[i].dest << 32 | (uint32_t)arcs[i].cost;
    h *= 0xff51afd7ed558ccdu;
    h ^= (h >> 32) + (uint32_t)arcs[i].output;
  }
  h *= 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 31);
}

static uint64_t slot(uint64_t hash, size_t id) {
  return (hash & 0xffffffff00000000u) | (uint64_t)(id + 1);
}

/* The table's place is found by the upper half, which is in it, as well. */
static sn_status grow(sni_nodes *n, sn_err *err) {
  const size_t mask = n->mask * 2 + 1;
  uint64_t *t = sn_calloc(mask + 1, sizeof *t);
  if (t == NULL) return sn_fail_nomem(err, "states of the graph");
  for (size_t i = 0; i <= n->mask; i++) {
    if (n->hash[i] == 0) continue;
    size_t at = (n->hash[i] >> 32) & mask;
    while (t[at] != 0) at = (at + 1) & mask;
    t[at] = n->hash[i];
  }
  sn_free(n->hash);
  n->hash = t;
  n->mask = mask;
  return SN_OK;
}

static bool equal(const sni_arc *a, const sni_arc *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (a[i].dest != b[i].dest || a[i].output != b[i].output ||
        a[i].cost != b[i].cost)
      return false;
  return true;
}

sn_status sni_nodes_intern(sni_nodes *n, int32_t label, const sni_arc *arcs,
                           size_t n_arcs, int32_t *id, sn_err *err) {
  /* Two thirds full at most. */
  if (n->labels.n * 3 > n->mask * 2) SN_TRY(grow(n, err));
  const uint64_t h = hash_of(label, arcs, n_arcs);
  size_t at = (h >> 32) & n->mask;
  for (; n->hash[at] != 0; at = (at + 1) & n->mask) {
    if ((n->hash[at] ^ h) >> 32 != 0) continue;
    const uint32_t i = (uint32_t)n->hash[at] - 1;
    const uint32_t from = n->first.data[i];
    if (n->labels.data[i] == label && n->first.data[i + 1] - from == n_arcs &&
        equal(&n->arcs.data[from], arcs, n_arcs)) {
      *id = (int32_t)i;
      return SN_OK;
    }
  }
  if (n->labels.n >= INT32_MAX - 1 || n->arcs.n + n_arcs > UINT32_MAX)
    return sn_fail(err, SN_ELIMIT,
                   "the search graph has more than 2^31 states or 2^32 arcs; "
                   "prune the language model (senone lm prune)");
  SN_TRY(SN_ARR_RESERVE(&n->arcs, n->arcs.n + n_arcs, err));
  SN_TRY(SN_ARR_RESERVE(&n->first, n->first.n + 1, err));
  SN_TRY(SN_ARR_PUSH(&n->labels, label, err));
  for (size_t i = 0; i < n_arcs; i++) n->arcs.data[n->arcs.n++] = arcs[i];
  n->first.data[n->first.n++] = (uint32_t)n->arcs.n;
  n->hash[at] = slot(h, n->labels.n - 1);
  *id = (int32_t)n->labels.n - 1;
  return SN_OK;
}

sn_status sni_nodes_junction_arc(sni_nodes *n, sni_arc arc, sn_err *err) {
  return SN_ARR_PUSH(&n->junction_arcs, arc, err);
}

sn_status sni_nodes_end_junction(sni_nodes *n, sn_err *err) {
  if (n->junction_arcs.n > UINT32_MAX || n->junction_first.n >= INT32_MAX)
    return sn_fail(err, SN_ELIMIT,
                   "the search graph has more than 2^32 arcs between words; "
                   "prune the language model (senone lm prune)");
  return SN_ARR_PUSH(&n->junction_first, (uint32_t)n->junction_arcs.n, err);
}
