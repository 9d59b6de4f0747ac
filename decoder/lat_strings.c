/* SPDX-License-Identifier: Apache-2.0 */
/* Strings are nodes of a tree (parent, label), each made once: equal strings
 * are equal node numbers, and a label is added in constant time. The first
 * children of a node are a list, since most have one or two, made right after
 * it; the others, and those of the empty string, are found by hashing. */
#include "decoder/lat_strings_internal.h"

#include <string.h>

#include "base/mem.h"

#define MAX_LIST 8 /* children of a node in its list */

sn_status sni_free_slots(sn_arr_i32 *t, size_t size, sn_err *err) {
  SN_TRY(SN_ARR_RESIZE(t, size, err));
  memset(t->data, 0, size * sizeof *t->data);
  return SN_OK;
}

static uint32_t node_hash(int32_t parent, int32_t label) {
  return sni_hash_finish(
      sni_hash_mix(sni_hash_mix(0, (uint32_t)parent), (uint32_t)label));
}

/* The slot of a child in the table, or the free one where it belongs. */
static int32_t *find_child(const sni_strings *t, int32_t parent,
                           int32_t label) {
  const size_t last = t->table.n - 1;
  for (size_t h = node_hash(parent, label) & last;; h = (h + 1) & last) {
    int32_t *const slot = &t->table.data[h];
    if (*slot == 0) return slot;
    const sni_string_node *const x = &t->nodes.data[*slot - 1];
    if (x->parent == parent && x->label == label) return slot;
  }
}

static sn_status table_grow(sni_strings *t, sn_err *err) {
  sn_arr_i32 old = t->table;
  t->table = (sn_arr_i32){0};
  sn_status s = sni_free_slots(&t->table, 2 * old.n, err);
  for (size_t i = 0; s == SN_OK && i < old.n; i++) {
    if (old.data[i] == 0) continue;
    const sni_string_node *const x = &t->nodes.data[old.data[i] - 1];
    *find_child(t, x->parent, x->label) = old.data[i];
  }
  SN_ARR_FREE(&old);
  return s;
}

/* *s + label */
static sn_status append(sni_strings *t, int32_t *s, int32_t label,
                        sn_err *err) {
  const int32_t parent = *s;
  int32_t *slot = NULL;
  int n = MAX_LIST;
  if (parent != SNI_EMPTY) {
    n = 0;
    for (int32_t c = t->nodes.data[parent].child; c != SNI_EMPTY;
         c = t->nodes.data[c].sibling, n++) {
      if (t->nodes.data[c].label != label) continue;
      *s = c;
      return SN_OK;
    }
  }
  if (n == MAX_LIST) {
    if (2 * (t->n_table + 1) > t->table.n) SN_TRY(table_grow(t, err));
    slot = find_child(t, parent, label);
    if (*slot != 0) {
      *s = *slot - 1;
      return SN_OK;
    }
  }
  if (t->nodes.n >= INT32_MAX - 1)
    return sn_fail(err, SN_ELIMIT, "determinisation: too many alignments");
  sni_string_node x = {parent, label, sni_strings_length(t, parent) + 1,
                       SNI_EMPTY, SNI_EMPTY};
  if (slot == NULL) x.sibling = t->nodes.data[parent].child;
  SN_TRY(SN_ARR_PUSH(&t->nodes, x, err));
  *s = (int32_t)t->nodes.n - 1;
  if (slot == NULL) {
    t->nodes.data[parent].child = *s;
  } else {
    *slot = *s + 1;
    t->n_table++;
  }
  return SN_OK;
}

sn_status sni_strings_append(sni_strings *t, int32_t *s, const int32_t *labels,
                             size_t n, sn_err *err) {
  for (size_t i = 0; i < n; i++) SN_TRY(append(t, s, labels[i], err));
  return SN_OK;
}

int32_t sni_strings_common(const sni_strings *t, int32_t a, int32_t b) {
  int32_t na = sni_strings_length(t, a), nb = sni_strings_length(t, b);
  for (; na > nb; na--) a = t->nodes.data[a].parent;
  for (; nb > na; nb--) b = t->nodes.data[b].parent;
  while (a != b) {
    a = t->nodes.data[a].parent;
    b = t->nodes.data[b].parent;
  }
  return a;
}

sn_status sni_strings_spell(sni_strings *t, int32_t s, int32_t from,
                            sn_err *err) {
  int32_t n = sni_strings_length(t, s) - from;
  SN_TRY(SN_ARR_RESIZE(&t->scratch, (size_t)n, err));
  for (; n > 0; s = t->nodes.data[s].parent)
    t->scratch.data[--n] = t->nodes.data[s].label;
  return SN_OK;
}

sn_status sni_strings_drop(sni_strings *t, int32_t *s, int32_t n, sn_err *err) {
  if (n == 0) return SN_OK;
  SN_TRY(sni_strings_spell(t, *s, n, err));
  *s = SNI_EMPTY;
  return sni_strings_append(t, s, t->scratch.data, t->scratch.n, err);
}

int sni_strings_compare(const sni_strings *t, int32_t a, int32_t b) {
  if (a == b) return 0;
  const int32_t na = sni_strings_length(t, a), nb = sni_strings_length(t, b);
  if (na != nb) return na < nb ? -1 : 1;
  int order = 0; /* the first difference decides: seen last on the way up */
  while (a != b) {
    const sni_string_node *const x = &t->nodes.data[a], *const y =
                                                            &t->nodes.data[b];
    if (x->label != y->label) order = x->label < y->label ? -1 : 1;
    a = x->parent;
    b = y->parent;
  }
  return order;
}
