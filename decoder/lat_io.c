/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of lattices.
 *
 * Kaldi's: "KEY " and then a lattice; behind the key's blank a binary one
 * begins with the magic of OpenFst (its first byte is 0xd6), a text one with a
 * line end.
 *
 * Our own: a container (base/io.h) of magic "SNLATS", version 1, with the
 * sections "blocks" (lattices, one after the other, each a multiple of 8
 * bytes), "index" (sni_lat_index, one an utterance, in order) and "keys"
 * (NUL-terminated). Each block has a checksum of its own, so that one
 * utterance is read and verified without the others. */
#include "decoder/lat_io.h"

#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "base/str.h"
#include "decoder/lat_kaldi.h"

#define LATS_MAGIC "SNLATS"
#define LATS_VERSION 1u
#define FST_FIRST_BYTE 0xd6
#define MAX_KEY 4096

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

/* "ark:x" -> 'a', "ark,t:x" -> 't', "lat:x" and "x" -> 'l'. */
static char form_of(const char *specifier, const char **path) {
  static const struct {
    const char *prefix;
    char form;
  } forms[] = {{"ark:", 'a'}, {"ark,b:", 'a'}, {"ark,t:", 't'}, {"lat:", 'l'}};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    const size_t n = strlen(forms[i].prefix);
    if (strncmp(specifier, forms[i].prefix, n) == 0) {
      *path = specifier + n;
      return forms[i].form;
    }
  }
  *path = specifier;
  return 'l';
}

/* ---- Reading ---- */

struct sn_lat_reader {
  sn_reader *in; /* Kaldi */
  sn_str key;
  sn_box *box; /* own */
  const unsigned char *blocks;
  const lat_index *index;
  const char *keys;
  size_t n_blocks, n_utts, n_keys, next;
};

sn_status sn_lat_reader_on(sn_reader *r, sn_lat_reader **out, sn_err *err) {
  *out = sn_calloc(1, sizeof **out);
  if (*out == NULL) {
    sn_reader_destroy(r);
    return sn_fail_nomem(err, "lattice reader");
  }
  (*out)->in = r;
  return SN_OK;
}

static sn_status section(sn_box *b, const char *name, size_t size,
                         unsigned flags, const void **data, size_t *n,
                         sn_err *err) {
  return sn_box_section(b, name, size, flags, data, n, err);
}

static sn_status open_own(const char *path, sn_lat_reader *r, sn_err *err) {
  const void *blocks = NULL, *index = NULL, *keys = NULL;
  SN_TRY(sn_box_open(path, LATS_MAGIC, LATS_VERSION, &r->box, err));
  SN_TRY(section(r->box, "blocks", 1, SN_BOX_LAZY, &blocks, &r->n_blocks, err));
  SN_TRY(
      section(r->box, "index", sizeof(lat_index), 0, &index, &r->n_utts, err));
  SN_TRY(section(r->box, "keys", 1, 0, &keys, &r->n_keys, err));
  r->blocks = blocks;
  r->index = index;
  r->keys = keys;
  if (r->n_keys > 0 && r->keys[r->n_keys - 1] != '\0')
    return sn_fail(err, SN_EFORMAT, "%s: section 'keys' does not end in NUL",
                   path);
  return SN_OK;
}

sn_status sn_lat_reader_open(const char *specifier, sn_lat_reader **out,
                             sn_err *err) {
  *out = NULL;
  const char *path;
  if (form_of(specifier, &path) != 'l') {
    sn_reader *r = NULL;
    SN_TRY(sn_reader_open(path, &r, err));
    return sn_lat_reader_on(r, out, err);
  }
  sn_lat_reader *const r = sn_calloc(1, sizeof *r);
  if (r == NULL) return sn_fail_nomem(err, "lattice reader");
  const sn_status s = open_own(path, r, err);
  if (s != SN_OK) {
    sn_lat_reader_destroy(r);
    return s;
  }
  *out = r;
  return SN_OK;
}

void sn_lat_reader_destroy(sn_lat_reader *r) {
  if (r == NULL) return;
  sn_reader_destroy(r->in);
  sn_str_clear(&r->key);
  sn_box_destroy(r->box);
  sn_free(r);
}

/* The key in front of the next lattice; *more false at the end. */
static sn_status read_key(sn_lat_reader *r, bool *more, sn_err *err) {
  int c = 0;
  sn_str_reset(&r->key);
  do { /* lines between text lattices */
    SN_TRY(sn_read_peek(r->in, &c, err));
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      char skip;
      SN_TRY(sn_read_bytes(r->in, &skip, 1, err));
    }
  } while (c == ' ' || c == '\n' || c == '\r' || c == '\t');
  *more = c >= 0;
  while (c >= 0) {
    SN_TRY(sn_read_peek(r->in, &c, err));
    if (c < 0 || c == ' ' || c == '\t' || c == '\n' || c == '\r') break;
    char x;
    SN_TRY(sn_read_bytes(r->in, &x, 1, err));
    if (r->key.n >= MAX_KEY || x == '\0')
      return sn_fail(err, SN_EFORMAT,
                     "%s: byte %lld: no key of a lattice archive here",
                     sn_reader_name(r->in), (long long)sn_reader_offset(r->in));
    SN_TRY(sn_str_add(&r->key, &x, 1, err));
  }
  return SN_OK;
}

static sn_status next_kaldi(sn_lat_reader *r, const char **key, sn_lat *lat,
                            sn_err *err) {
  bool more = false;
  int c = 0;
  SN_TRY(read_key(r, &more, err));
  if (!more) return SN_OK;
  SN_TRY(sn_read_peek(r->in, &c, err));
  if (c == ' ' || c == '\t') {
    char blank;
    SN_TRY(sn_read_bytes(r->in, &blank, 1, err));
    SN_TRY(sn_read_peek(r->in, &c, err));
  }
  sn_status s;
  if (c == FST_FIRST_BYTE) {
    s = sn_lat_read_kaldi_binary(r->in, lat, err);
  } else {
    sn_span line; /* the rest of the key's line is empty */
    s = sn_read_line(r->in, &line, &more, err);
    if (s == SN_OK && sn_span_trim(line).n > 0)
      s = sn_fail(err, SN_EFORMAT,
                  "%s: byte %lld: neither a binary nor a text lattice",
                  sn_reader_name(r->in), (long long)sn_reader_offset(r->in));
    if (s == SN_OK) s = sn_lat_read_kaldi_text(r->in, lat, err);
  }
  if (s != SN_OK) {
    sn_err_context(err, "utterance '%s'", sn_str_get(&r->key));
    return s;
  }
  *key = sn_str_get(&r->key);
  return SN_OK;
}

static sn_status bad_block(const char *key, sn_err *err, const char *what) {
  return sn_fail(err, SN_EFORMAT, "utterance '%s': lattice block: %s", key,
                 what);
}

/* Copies the arrays out of a verified block. */
static sn_status unpack(const char *key, const unsigned char *p, size_t n,
                        sn_lat *lat, sn_err *err) {
  block_head h;
  if (n < sizeof h) return bad_block(key, err, "too short");
  memcpy(&h, p, sizeof h);
  if (h.n_states == 0) return SN_OK;
  if (h.n_states < 0 || h.n_arcs < 0)
    return bad_block(key, err, "negative sizes");
  const size_t states = ((size_t)h.n_states + 1) * sizeof(sn_lat_state);
  const size_t arcs = (size_t)h.n_arcs * sizeof(sn_lat_arc);
  const size_t ali = (size_t)h.n_ali * sizeof(int32_t);
  if (n - sizeof h < states || n - sizeof h - states < arcs ||
      n - sizeof h - states - arcs < ali)
    return bad_block(key, err, "sizes beyond its end");
  lat->n_states = h.n_states;
  lat->n_arcs = h.n_arcs;
  lat->n_ali = h.n_ali;
  lat->states = sn_calloc((size_t)h.n_states + 1, sizeof *lat->states);
  lat->arcs = sn_calloc((size_t)h.n_arcs, sizeof *lat->arcs);
  lat->ali = sn_calloc(h.n_ali, sizeof *lat->ali);
  sn_status s = SN_OK;
  if (!lat->states || !lat->arcs || !lat->ali) {
    s = sn_fail_nomem(err, "lattice");
  } else {
    memcpy(lat->states, p + sizeof h, states);
    memcpy(lat->arcs, p + sizeof h + states, arcs);
    memcpy(lat->ali, p + sizeof h + states + arcs, ali);
    s = sn_lat_check(lat, err);
    if (s != SN_OK) sn_err_context(err, "utterance '%s'", key);
  }
  if (s != SN_OK) sn_lat_clear(lat);
  return s;
}

static sn_status next_own(sn_lat_reader *r, const char **key, sn_lat *lat,
                          sn_err *err) {
  if (r->next >= r->n_utts) return SN_OK;
  const lat_index x = r->index[r->next++];
  if (x.key >= r->n_keys)
    return sn_fail(err, SN_EFORMAT, "lattices: key of utterance %zu at %u",
                   r->next - 1, x.key);
  const char *const name = r->keys + x.key;
  if (x.offset > r->n_blocks || x.size > r->n_blocks - x.offset ||
      x.offset % 8 != 0)
    return bad_block(name, err, "outside the section");
  if (sn_crc32(0, r->blocks + x.offset, (size_t)x.size) != x.crc)
    return bad_block(name, err, "checksum differs: the file was altered");
  SN_TRY(unpack(name, r->blocks + x.offset, (size_t)x.size, lat, err));
  *key = name;
  return SN_OK;
}

sn_status sn_lat_next(sn_lat_reader *r, const char **key, sn_lat *lat,
                      sn_err *err) {
  *key = NULL;
  memset(lat, 0, sizeof *lat);
  return r->in != NULL ? next_kaldi(r, key, lat, err)
                       : next_own(r, key, lat, err);
}

/* ---- Writing ---- */

struct sn_lat_writer {
  char form;
  sn_writer *out;     /* Kaldi */
  sn_box_writer *box; /* own */
  SN_ARR(lat_index) index;
  sn_str keys, block;
  uint64_t offset;
};

sn_status sn_lat_writer_open(const char *specifier, sn_lat_writer **out,
                             sn_err *err) {
  *out = NULL;
  const char *path;
  sn_lat_writer *const w = sn_calloc(1, sizeof *w);
  if (w == NULL) return sn_fail_nomem(err, "lattice writer");
  w->form = form_of(specifier, &path);
  sn_status s;
  if (w->form == 'l') {
    s = sn_box_create(path, LATS_MAGIC, LATS_VERSION, &w->box, err);
    if (s == SN_OK) s = sn_box_start(w->box, "blocks", 1, err);
  } else {
    s = sn_writer_open(path, &w->out, err);
  }
  if (s != SN_OK) {
    sn_lat_writer_destroy(w);
    return s;
  }
  *out = w;
  return SN_OK;
}

static sn_status add_bytes(sn_str *b, const void *data, size_t n, sn_err *err) {
  return n > 0 ? sn_str_add(b, data, n, err) : SN_OK;
}

static sn_status write_own(sn_lat_writer *w, const char *key, const sn_lat *l,
                           sn_err *err) {
  static const char zeros[8] = {0};
  const block_head h = {l->n_states, l->n_arcs, l->n_ali, 0};
  sn_str *const b = &w->block;
  sn_str_reset(b);
  SN_TRY(add_bytes(b, &h, sizeof h, err));
  if (l->n_states > 0) {
    SN_TRY(add_bytes(b, l->states,
                     ((size_t)l->n_states + 1) * sizeof *l->states, err));
    SN_TRY(add_bytes(b, l->arcs, (size_t)l->n_arcs * sizeof *l->arcs, err));
    SN_TRY(add_bytes(b, l->ali, l->n_ali * sizeof *l->ali, err));
  }
  SN_TRY(add_bytes(b, zeros, (8 - b->n % 8) % 8, err));
  if (w->keys.n > UINT32_MAX - strlen(key) - 1)
    return sn_fail(err, SN_ELIMIT, "lattices: keys beyond 4 GiB");
  const lat_index x = {w->offset, b->n, (uint32_t)w->keys.n,
                       sn_crc32(0, b->data, b->n)};
  SN_TRY(SN_ARR_PUSH(&w->index, x, err));
  SN_TRY(add_bytes(&w->keys, key, strlen(key) + 1, err));
  SN_TRY(sn_box_append(w->box, b->data, b->n, err));
  w->offset += b->n;
  return SN_OK;
}

sn_status sn_lat_write(sn_lat_writer *w, const char *key, const sn_lat *lat,
                       sn_err *err) {
  if (w->form == 'l') return write_own(w, key, lat, err);
  SN_TRY(sn_write_bytes(w->out, key, strlen(key), err));
  SN_TRY(sn_write_bytes(w->out, w->form == 't' ? " \n" : " ",
                        w->form == 't' ? 2 : 1, err));
  return w->form == 't' ? sn_lat_write_kaldi_text(w->out, lat, err)
                        : sn_lat_write_kaldi_binary(w->out, lat, err);
}

sn_status sn_lat_writer_commit(sn_lat_writer *w, sn_err *err) {
  if (w->form != 'l') return sn_writer_commit(w->out, err);
  SN_TRY(sn_box_add(w->box, "index", sizeof(lat_index), w->index.data,
                    w->index.n, err));
  SN_TRY(sn_box_add(w->box, "keys", 1, w->keys.data, w->keys.n, err));
  return sn_box_commit(w->box, err);
}

void sn_lat_writer_destroy(sn_lat_writer *w) {
  if (w == NULL) return;
  sn_writer_destroy(w->out);
  sn_box_writer_destroy(w->box);
  SN_ARR_FREE(&w->index);
  sn_str_clear(&w->keys);
  sn_str_clear(&w->block);
  sn_free(w);
}
