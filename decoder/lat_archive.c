/* SPDX-License-Identifier: Apache-2.0 */
/* Senone's own archive of lattices: a container (base/io.h) of magic "SNLATS",
 * version 1, with the sections
 *   "blocks"  lattices, one after the other, each a multiple of 8 bytes
 *   "index"   lat_index, one an utterance, in order
 *   "keys"    NUL-terminated
 *   "words"   spellings of labels 0, 1, ..., NUL-terminated; an empty one is a
 *             label that no word has (may be missing)
 *   "meta"    key, NUL, value, NUL, ... (may be missing)
 * Each block has a checksum of its own, so that one utterance is read and
 * verified without the others. docs/lattices.md has the byte offsets. */
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "base/str.h"
#include "decoder/lat_archive_internal.h"
#include "decoder/lat_io.h"

typedef struct lat_index {
  uint64_t offset, size; /* of the block, in "blocks" */
  uint32_t key;          /* offset in "keys" */
  uint32_t crc;          /* of the block */
} lat_index;

/* A block: this, states [n_states + 1], arcs, ali. */
typedef struct block_head {
  int32_t n_states, n_arcs;
  uint32_t n_ali, zero;
} block_head;

/* ---- Reading ---- */

struct sni_lat_archive {
  sn_box *box;
  char *name;
  const unsigned char *blocks;
  const lat_index *index;
  const char *keys, *words, *meta;
  size_t n_blocks, n_utts, n_keys, n_words, n_meta; /* bytes, but n_utts */
  size_t next;
  sn_arr_i32 map; /* label -> the caller's label, -1: none; empty: as it is */
};

/* A section of NUL-terminated strings. */
static sn_status strings(sni_lat_archive *a, const char *section,
                         unsigned flags, const char **data, size_t *n,
                         sn_err *err) {
  const void *bytes = NULL;
  SN_TRY(sn_box_section(a->box, section, 1, flags, &bytes, n, err));
  *data = bytes;
  if (*n > 0 && (*data)[*n - 1] != '\0')
    return sn_fail(err, SN_EFORMAT, "%s: section '%s' does not end in NUL",
                   a->name, section);
  return SN_OK;
}

static sn_status open_sections(sni_lat_archive *a, sn_err *err) {
  const void *blocks = NULL, *index = NULL;
  SN_TRY(sn_box_section(a->box, "blocks", 1, SN_BOX_LAZY, &blocks, &a->n_blocks,
                        err));
  SN_TRY(sn_box_section(a->box, "index", sizeof(lat_index), 0, &index,
                        &a->n_utts, err));
  a->blocks = blocks;
  a->index = index;
  SN_TRY(strings(a, "keys", 0, &a->keys, &a->n_keys, err));
  SN_TRY(strings(a, "words", SN_BOX_OPTIONAL, &a->words, &a->n_words, err));
  return strings(a, "meta", SN_BOX_OPTIONAL, &a->meta, &a->n_meta, err);
}

sn_status sni_lat_archive_open(sn_box *box, const char *name,
                               sni_lat_archive **out, sn_err *err) {
  *out = NULL;
  sni_lat_archive *const a = sn_calloc(1, sizeof *a);
  if (a == NULL) {
    sn_box_destroy(box);
    return sn_fail_nomem(err, "archive of lattices");
  }
  a->box = box;
  a->name = sn_strdup(name);
  const sn_status s = a->name != NULL
                          ? open_sections(a, err)
                          : sn_fail_nomem(err, "archive of lattices");
  if (s != SN_OK) {
    sni_lat_archive_destroy(a);
    return s;
  }
  *out = a;
  return SN_OK;
}

void sni_lat_archive_destroy(sni_lat_archive *a) {
  if (a == NULL) return;
  sn_box_destroy(a->box);
  sn_free(a->name);
  SN_ARR_FREE(&a->map);
  sn_free(a);
}

static sn_status bad_block(const sni_lat_archive *a, const char *key,
                           const lat_index *x, sn_err *err, const char *what) {
  return sn_fail(err, SN_EFORMAT,
                 "%s: utterance '%s': lattice block %zu (byte %llu of section "
                 "'blocks'): %s",
                 a->name, key, a->next - 1, (unsigned long long)x->offset,
                 what);
}

/* Copies the arrays out of a verified block of n bytes. */
static sn_status unpack(const unsigned char *p, size_t n, sn_lat *lat,
                        const char **bad, sn_err *err) {
  block_head h;
  *bad = "too short";
  if (n < sizeof h) return SN_EFORMAT;
  memcpy(&h, p, sizeof h);
  if (h.n_states == 0) return SN_OK;
  *bad = "negative sizes";
  if (h.n_states < 0 || h.n_arcs < 0) return SN_EFORMAT;
  const size_t states = ((size_t)h.n_states + 1) * sizeof(sn_lat_state);
  const size_t arcs = (size_t)h.n_arcs * sizeof(sn_lat_arc);
  const size_t ali = (size_t)h.n_ali * sizeof(int32_t);
  *bad = "sizes beyond its end";
  if (n - sizeof h < states || n - sizeof h - states < arcs ||
      n - sizeof h - states - arcs < ali)
    return SN_EFORMAT;
  lat->n_states = h.n_states;
  lat->n_arcs = h.n_arcs;
  lat->n_ali = h.n_ali;
  lat->states = sn_calloc((size_t)h.n_states + 1, sizeof *lat->states);
  lat->arcs = sn_calloc((size_t)h.n_arcs, sizeof *lat->arcs);
  lat->ali = sn_calloc(h.n_ali, sizeof *lat->ali);
  if (!lat->states || !lat->arcs || !lat->ali)
    return sn_fail_nomem(err, "lattice");
  p += sizeof h;
  memcpy(lat->states, p, states);
  memcpy(lat->arcs, p + states, arcs);
  memcpy(lat->ali, p + states + arcs, ali);
  return sn_lat_check(lat, err);
}

static sn_status map_labels(const sni_lat_archive *a, sn_lat *lat,
                            sn_err *err) {
  if (a->map.n == 0) return SN_OK;
  for (int32_t i = 0; i < lat->n_arcs; i++) {
    int32_t *const word = &lat->arcs[i].word;
    if ((size_t)*word >= a->map.n || a->map.data[*word] < 0)
      return sn_fail(err, SN_EFORMAT,
                     "label %d, which the archive has no word for", *word);
    *word = a->map.data[*word];
  }
  return SN_OK;
}

sn_status sni_lat_archive_next(sni_lat_archive *a, const char **key,
                               sn_lat *lat, sn_err *err) {
  if (a->n_utts == 0)
    return sn_fail(err, SN_EFORMAT, "%s: no lattice in it: it is empty",
                   a->name);
  if (a->next >= a->n_utts) return SN_OK;
  const lat_index x = a->index[a->next++];
  if (x.key >= a->n_keys)
    return sn_fail(err, SN_EFORMAT,
                   "%s: key of utterance %zu at byte %u of %zu", a->name,
                   a->next - 1, x.key, a->n_keys);
  const char *const name = a->keys + x.key;
  if (x.offset > a->n_blocks || x.size > a->n_blocks - x.offset ||
      x.offset % 8 != 0)
    return bad_block(a, name, &x, err, "outside the section");
  if (sn_crc32(0, a->blocks + x.offset, (size_t)x.size) != x.crc)
    return bad_block(a, name, &x, err,
                     "checksum differs: the file was altered");
  const char *bad = NULL;
  sn_status s = unpack(a->blocks + x.offset, (size_t)x.size, lat, &bad, err);
  if (s == SN_EFORMAT && lat->n_states == 0)
    return bad_block(a, name, &x, err, bad);
  if (s == SN_OK) s = map_labels(a, lat, err);
  if (s != SN_OK) {
    sn_err_context(err, "%s: utterance '%s'", a->name, name);
    sn_lat_clear(lat);
    return s;
  }
  *key = name;
  return SN_OK;
}

sn_status sni_lat_archive_map(sni_lat_archive *a, sn_lat_words *words,
                              sn_err *err) {
  a->map.n = 0;
  for (size_t at = 0; at < a->n_words;) {
    const char *const word = a->words + at;
    const size_t n = strlen(word);
    int32_t label = -1;
    if (a->map.n == 0)
      label = 0;
    else if (n > 0)
      SN_TRY(sn_lat_words_add(words, word, n, &label, err));
    SN_TRY(SN_ARR_PUSH(&a->map, label, err));
    at += n + 1;
  }
  return SN_OK;
}

size_t sni_lat_archive_n(const sni_lat_archive *a) { return a->n_utts; }

bool sni_lat_archive_has_words(const sni_lat_archive *a) {
  return a->n_words > 0;
}

bool sni_lat_archive_seek(sni_lat_archive *a, const char *key) {
  for (size_t i = 0; i < a->n_utts; i++) { /* most ask in order */
    const size_t at = (a->next + i) % a->n_utts;
    const uint32_t k = a->index[at].key;
    if (k < a->n_keys && strcmp(a->keys + k, key) == 0) {
      a->next = at;
      return true;
    }
  }
  return false;
}

const char *sni_lat_archive_meta(const sni_lat_archive *a, size_t i,
                                 const char **value) {
  size_t at = 0;
  *value = NULL;
  while (at < a->n_meta) {
    const char *const key = a->meta + at;
    at += strlen(key) + 1;
    if (at >= a->n_meta) return NULL; /* a key without a value */
    *value = a->meta + at;
    at += strlen(*value) + 1;
    if (i-- == 0) return key;
  }
  *value = NULL;
  return NULL;
}

/* ---- Writing ---- */

struct sni_lat_archive_writer {
  sn_box_writer *box;
  SN_ARR(lat_index) index;
  sn_str keys, meta;
  uint64_t offset;
};

sn_status sni_lat_archive_create(const char *path, sni_lat_archive_writer **out,
                                 sn_err *err) {
  *out = NULL;
  sni_lat_archive_writer *const w = sn_calloc(1, sizeof *w);
  if (w == NULL) return sn_fail_nomem(err, "archive of lattices");
  sn_status s =
      sn_box_create(path, SN_LATS_MAGIC, SN_LATS_VERSION, &w->box, err);
  if (s == SN_OK) s = sn_box_start(w->box, "blocks", 1, err);
  if (s != SN_OK) {
    sni_lat_archive_writer_destroy(w);
    return s;
  }
  *out = w;
  return SN_OK;
}

void sni_lat_archive_writer_destroy(sni_lat_archive_writer *w) {
  if (w == NULL) return;
  sn_box_writer_destroy(w->box);
  SN_ARR_FREE(&w->index);
  sn_str_clear(&w->keys);
  sn_str_clear(&w->meta);
  sn_free(w);
}

static sn_status add_bytes(sn_str *b, const void *data, size_t n, sn_err *err) {
  return n > 0 ? sn_str_add(b, data, n, err) : SN_OK;
}

/* Adds to the block that x tells of. */
static sn_status add_to_block(sni_lat_archive_writer *w, lat_index *x,
                              const void *data, size_t n, sn_err *err) {
  if (n == 0) return SN_OK;
  x->crc = sn_crc32(x->crc, data, n);
  x->size += n;
  return sn_box_append(w->box, data, n, err);
}

sn_status sni_lat_archive_write(sni_lat_archive_writer *w, const char *key,
                                const sn_lat *l, sn_err *err) {
  static const char zeros[8] = {0};
  const block_head h = {l->n_states, l->n_arcs, l->n_ali, 0};
  lat_index x = {.offset = w->offset, .key = (uint32_t)w->keys.n};
  if (w->keys.n > UINT32_MAX - strlen(key) - 1)
    return sn_fail(err, SN_ELIMIT, "lattices: keys beyond 4 GiB");
  SN_TRY(add_to_block(w, &x, &h, sizeof h, err));
  if (l->n_states > 0) {
    SN_TRY(add_to_block(w, &x, l->states,
                        ((size_t)l->n_states + 1) * sizeof *l->states, err));
    SN_TRY(
        add_to_block(w, &x, l->arcs, (size_t)l->n_arcs * sizeof *l->arcs, err));
    SN_TRY(add_to_block(w, &x, l->ali, l->n_ali * sizeof *l->ali, err));
  }
  SN_TRY(add_to_block(w, &x, zeros, (8 - x.size % 8) % 8, err));
  SN_TRY(SN_ARR_PUSH(&w->index, x, err));
  SN_TRY(add_bytes(&w->keys, key, strlen(key) + 1, err));
  w->offset += x.size;
  return SN_OK;
}

sn_status sni_lat_archive_set_meta(sni_lat_archive_writer *w, const char *key,
                                   const char *value, sn_err *err) {
  SN_TRY(add_bytes(&w->meta, key, strlen(key) + 1, err));
  return add_bytes(&w->meta, value, strlen(value) + 1, err);
}

static sn_status write_words(sni_lat_archive_writer *w,
                             const sn_lat_words *words, sn_err *err) {
  SN_TRY(sn_box_start(w->box, "words", 1, err));
  for (int32_t label = 0; label < sn_lat_words_n(words); label++) {
    const char *const word = sn_lat_words_get(words, label);
    const char *const text = word != NULL ? word : "";
    SN_TRY(sn_box_append(w->box, text, strlen(text) + 1, err));
  }
  return SN_OK;
}

sn_status sni_lat_archive_commit(sni_lat_archive_writer *w,
                                 const sn_lat_words *words, sn_err *err) {
  SN_TRY(sn_box_add(w->box, "index", sizeof(lat_index), w->index.data,
                    w->index.n, err));
  SN_TRY(sn_box_add(w->box, "keys", 1, w->keys.data, w->keys.n, err));
  if (words != NULL) SN_TRY(write_words(w, words, err));
  if (w->meta.n > 0)
    SN_TRY(sn_box_add(w->box, "meta", 1, w->meta.data, w->meta.n, err));
  return sn_box_commit(w->box, err);
}
