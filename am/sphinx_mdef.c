/* SPDX-License-Identifier: Apache-2.0 */
/* Model definitions of Sphinx: which senones and transition matrix each phone
 * and triphone has.
 *
 * Text: a line "0.3", six "COUNT NAME" lines, then one line for each phone:
 *   base left right position attribute tmat senone ... N
 * Binary: "BMDF" (or "FDMB": other byte order), version, a description text,
 * ten counts, phone names, a context tree, 12 bytes for each phone, senone
 * sequences. The tree holds the same contexts as the phones' entries, from
 * which the triphones are taken here; it is checked to be there and skipped.
 *
 * Equal pairs of (senone sequence, transition matrix) become one HMM: 137,095
 * phones of en-us make 29,324. Triphones whose context is a filler other than
 * SIL can never be asked for (PocketSphinx takes SIL for any filler first) and
 * are kept all the same.
 *
 * Sources: cmusphinx/pocketsphinx src/libpocketsphinx/mdef.c, bin_mdef.c. */
#include <stdlib.h>
#include <string.h>

#include "am/am_internal.h"
#include "am/sphinx_internal.h"
#include "base/mem.h"

enum { MAX_TRIS = 1 << 24 };

/* Letters of the word positions, in the order of sn_wordpos. */
static const char positions[SN_N_POS + 1] = "ibes";

void sni_mdef_clear(sni_mdef *m) {
  sn_symtab_destroy(m->phones);
  sn_free(m->is_filler);
  SN_ARR_FREE(&m->hmm_pdfs);
  SN_ARR_FREE(&m->hmm_tmat);
  sn_free(m->base_hmm);
  sn_free(m->pdf_phone);
  SN_ARR_FREE(&m->tris);
  sn_free(m->slots);
  memset(m, 0, sizeof *m);
}

/* ---- Distinct HMMs: an open-addressing table of HMM ids ---- */

static size_t hash_hmm(const int32_t *pdfs, int32_t n, int32_t tmat) {
  uint64_t h = (uint64_t)(uint32_t)tmat * 0x9E3779B97F4A7C15u;
  for (int32_t i = 0; i < n; i++) {
    h ^= (uint32_t)pdfs[i];
    h *= 0x9E3779B97F4A7C15u;
    h ^= h >> 29;
  }
  return (size_t)h;
}

static void slot_put(sni_mdef *m, int32_t hmm) {
  const size_t mask = m->n_slots - 1;
  const int32_t S = m->n_states;
  size_t i = hash_hmm(m->hmm_pdfs.data + (size_t)hmm * (size_t)S, S,
                      m->hmm_tmat.data[hmm]);
  while (m->slots[i & mask] >= 0) i++;
  m->slots[i & mask] = hmm;
}

static sn_status slots_grow(sni_mdef *m, sn_err *err) {
  const size_t n = m->n_slots == 0 ? 256 : m->n_slots * 2;
  int32_t *const slots = sn_calloc(n, sizeof *slots);
  if (slots == NULL) return sn_fail_nomem(err, "model definition");
  for (size_t i = 0; i < n; i++) slots[i] = -1;
  sn_free(m->slots);
  m->slots = slots;
  m->n_slots = n;
  for (size_t h = 0; h < m->hmm_tmat.n; h++) slot_put(m, (int32_t)h);
  return SN_OK;
}

/* Id of the HMM of these pdfs [n_states] and matrix, added if new. */
static sn_status add_hmm(sni_mdef *m, const int32_t *pdfs, int32_t tmat,
                         int32_t *id, sn_err *err) {
  const size_t S = (size_t)m->n_states;
  if (m->n_slots == 0 || m->hmm_tmat.n * 2 >= m->n_slots)
    SN_TRY(slots_grow(m, err));
  size_t i = hash_hmm(pdfs, m->n_states, tmat);
  for (;; i++) {
    const int32_t h = m->slots[i & (m->n_slots - 1)];
    if (h < 0) break;
    if (m->hmm_tmat.data[h] == tmat &&
        memcmp(m->hmm_pdfs.data + (size_t)h * S, pdfs, S * sizeof *pdfs) == 0) {
      *id = h;
      return SN_OK;
    }
  }
  *id = (int32_t)m->hmm_tmat.n;
  SN_TRY(SN_ARR_RESERVE(&m->hmm_pdfs, m->hmm_pdfs.n + S, err));
  SN_TRY(SN_ARR_PUSH(&m->hmm_tmat, tmat, err));
  memcpy(m->hmm_pdfs.data + m->hmm_pdfs.n, pdfs, S * sizeof *pdfs);
  m->hmm_pdfs.n += S;
  slot_put(m, *id);
  return SN_OK;
}

/* A phone (left < 0) or triphone with its HMM. The first phone to use a pdf
 * owns it: with codebooks by phone that says which one (bin_mdef.c). */
static sn_status add_phone(sni_mdef *m, sni_mdef_tri t, const int32_t *pdfs,
                           int32_t tmat, sn_err *err) {
  SN_TRY(add_hmm(m, pdfs, tmat, &t.hmm, err));
  for (int32_t s = 0; s < m->n_states; s++)
    if (m->pdf_phone[pdfs[s]] < 0) m->pdf_phone[pdfs[s]] = t.base;
  if (t.left < 0) {
    m->base_hmm[t.base] = t.hmm;
    return SN_OK;
  }
  return SN_ARR_PUSH(&m->tris, t, err);
}

static int compare_tris(const void *pa, const void *pb) {
  const sni_mdef_tri *const a = pa, *const b = pb;
  if (a->pos != b->pos) return a->pos < b->pos ? -1 : 1;
  if (a->base != b->base) return a->base < b->base ? -1 : 1;
  if (a->left != b->left) return a->left < b->left ? -1 : 1;
  if (a->right != b->right) return a->right < b->right ? -1 : 1;
  return 0;
}

/* Common end of both readers: silence, order, no triphone twice. */
static sn_status finish(sni_mdef *m, const char *name, sn_err *err) {
  m->silence = sn_symtab_finds(m->phones, "SIL");
  if (m->silence < 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s: no phone is named SIL; every Sphinx model has one",
                   name);
  if (m->tris.n > 0)
    qsort(m->tris.data, m->tris.n, sizeof *m->tris.data, compare_tris);
  for (size_t i = 1; i < m->tris.n; i++) {
    const sni_mdef_tri *const t = &m->tris.data[i];
    if (compare_tris(t - 1, t) == 0)
      return sn_fail(err, SN_EFORMAT,
                     "%s: the triphone %s(%s,%s) at word position %c is "
                     "there twice",
                     name, sn_symtab_get(m->phones, t->base),
                     sn_symtab_get(m->phones, t->left),
                     sn_symtab_get(m->phones, t->right), positions[t->pos]);
  }
  return SN_OK;
}

/* Arrays whose sizes the header gives. */
static sn_status reserve(sni_mdef *m, sn_err *err) {
  SN_TRY(sn_symtab_create(&m->phones, err));
  m->is_filler = sn_calloc((size_t)m->n_phones, 1);
  m->base_hmm = sn_calloc((size_t)m->n_phones, sizeof *m->base_hmm);
  m->pdf_phone = sn_calloc((size_t)m->n_pdfs, sizeof *m->pdf_phone);
  if (m->is_filler == NULL || m->base_hmm == NULL || m->pdf_phone == NULL)
    return sn_fail_nomem(err, "model definition");
  for (int32_t i = 0; i < m->n_pdfs; i++) m->pdf_phone[i] = -1;
  return SN_OK;
}

/* ---- Text ---- */

typedef struct lines {
  sn_span rest;
  int64_t no; /* of the line taken last, from 1 */
  const char *name;
} lines;

static sn_status text_fail(const lines *l, sn_err *err, const char *what,
                           sn_span got) {
  return sn_fail(err, SN_EFORMAT, "%s:%lld: expected %s, found '%.*s'", l->name,
                 (long long)l->no, what, (int)(got.n < 60 ? got.n : 60),
                 got.n == 0 ? "" : got.p);
}

/* The next line that is no comment; false at the end. */
static bool next_line(lines *l, sn_span *line) {
  while (l->rest.n > 0) {
    const char *const end = memchr(l->rest.p, '\n', l->rest.n);
    line->p = l->rest.p;
    line->n = end == NULL ? l->rest.n : (size_t)(end - l->rest.p);
    const size_t used = line->n + (end == NULL ? 0 : 1);
    l->rest.p += used;
    l->rest.n -= used;
    l->no++;
    if (line->n > 0 && line->p[0] == '#') continue;
    if (sn_span_trim(*line).n == 0 && l->rest.n == 0) break;
    return true;
  }
  return false;
}

static sn_status need_field(const lines *l, sn_span *line, const char *what,
                            sn_span *field, sn_err *err) {
  const sn_span none = {0};
  if (!sn_next_field(line, field)) return text_fail(l, err, what, none);
  return SN_OK;
}

static sn_status need_int(const lines *l, sn_span *line, const char *what,
                          int32_t max, int32_t *out, sn_err *err) {
  sn_span f = {0};
  SN_TRY(need_field(l, line, what, &f, err));
  if (!sn_parse_int32(f, out) || *out < 0) return text_fail(l, err, what, f);
  if (*out > max)
    return sn_fail(err, SN_EFORMAT, "%s:%lld: %s %d is above %d", l->name,
                   (long long)l->no, what, *out, max);
  return SN_OK;
}

typedef struct text_head {
  int32_t n_base, n_tri, n_map, n_pdfs, n_ci_pdfs, n_tmats;
} text_head;

static sn_status read_text_head(lines *l, text_head *h, sn_err *err) {
  struct {
    const char *key;
    int32_t *to, max;
  } const keys[] = {{"n_base", &h->n_base, SNI_AM_MAX_PHONES},
                    {"n_tri", &h->n_tri, MAX_TRIS},
                    {"n_state_map", &h->n_map, INT32_MAX},
                    {"n_tied_state", &h->n_pdfs, SNI_AM_MAX_PDFS},
                    {"n_tied_ci_state", &h->n_ci_pdfs, SNI_AM_MAX_PDFS},
                    {"n_tied_tmat", &h->n_tmats, SNI_AM_MAX_PDFS}};
  enum { N_KEYS = sizeof keys / sizeof keys[0] };
  for (size_t i = 0; i < N_KEYS; i++) *keys[i].to = -1;
  for (size_t seen = 0; seen < N_KEYS;) {
    sn_span line = {0}, key = {0};
    int32_t value = 0;
    if (!next_line(l, &line))
      return text_fail(l, err, "six lines of counts", line);
    SN_TRY(need_int(l, &line, "a count", INT32_MAX, &value, err));
    SN_TRY(need_field(l, &line, "the name of the count", &key, err));
    size_t i = 0;
    while (i < N_KEYS && !sn_span_eq(key, keys[i].key)) i++;
    if (i == N_KEYS) return text_fail(l, err, "a known count", key);
    if (value > keys[i].max)
      return sn_fail(err, SN_ELIMIT, "%s:%lld: %s %d is above %d", l->name,
                     (long long)l->no, keys[i].key, value, keys[i].max);
    if (*keys[i].to < 0) seen++;
    *keys[i].to = value;
  }
  const int64_t n_phones = (int64_t)h->n_base + h->n_tri;
  if (h->n_base == 0 || h->n_pdfs == 0 || h->n_tmats == 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s:%lld: no phones (%d), senones (%d) or transition "
                   "matrices (%d)",
                   l->name, (long long)l->no, h->n_base, h->n_pdfs, h->n_tmats);
  if (h->n_map % n_phones != 0 || h->n_map / n_phones < 2 ||
      h->n_map / n_phones > SNI_AM_MAX_STATES + 1)
    return sn_fail(err, SN_EFORMAT,
                   "%s:%lld: n_state_map %d is not 2 to %d times the %lld "
                   "phones",
                   l->name, (long long)l->no, h->n_map, SNI_AM_MAX_STATES + 1,
                   (long long)n_phones);
  return SN_OK;
}

/* tmat and senones, the same in all phone lines. */
static sn_status read_states(const sni_mdef *m, const lines *l, sn_span *line,
                             int32_t *tmat, int32_t *pdfs, sn_err *err) {
  sn_span f = {0};
  SN_TRY(need_int(l, line, "transition matrix", m->n_tmats - 1, tmat, err));
  for (int32_t s = 0; s < m->n_states; s++)
    SN_TRY(need_int(l, line, "senone", m->n_pdfs - 1, &pdfs[s], err));
  SN_TRY(need_field(l, line, "N (the exit state)", &f, err));
  if (!sn_span_eq(f, "N")) return text_fail(l, err, "N (the exit state)", f);
  if (sn_next_field(line, &f)) return text_fail(l, err, "the line's end", f);
  return SN_OK;
}

static sn_status read_filler(const lines *l, sn_span *line, bool *is_filler,
                             sn_err *err) {
  sn_span f = {0};
  SN_TRY(need_field(l, line, "filler or n/a", &f, err));
  *is_filler = sn_span_eq(f, "filler");
  if (!*is_filler && !sn_span_eq(f, "n/a"))
    return text_fail(l, err, "filler or n/a", f);
  return SN_OK;
}

static sn_status read_base_line(sni_mdef *m, const lines *l, sn_span line,
                                int32_t p, sn_err *err) {
  sni_mdef_tri t = {0, p, -1, -1, -1};
  int32_t tmat = 0, id = 0, pdfs[SNI_AM_MAX_STATES];
  bool is_filler = false;
  sn_span f = {0};
  SN_TRY(need_field(l, &line, "a phone", &f, err));
  SN_TRY(sn_symtab_add(m->phones, f.p, f.n, &id, err));
  if (id != p) return text_fail(l, err, "a phone not seen before", f);
  for (int i = 0; i < 3; i++) {
    SN_TRY(need_field(l, &line, "- (no context)", &f, err));
    if (!sn_span_eq(f, "-")) return text_fail(l, err, "- (no context)", f);
  }
  SN_TRY(read_filler(l, &line, &is_filler, err));
  m->is_filler[p] = is_filler;
  SN_TRY(read_states(m, l, &line, &tmat, pdfs, err));
  return add_phone(m, t, pdfs, tmat, err);
}

static sn_status need_phone(const sni_mdef *m, const lines *l, sn_span *line,
                            const char *what, int32_t *out, sn_err *err) {
  sn_span f = {0};
  SN_TRY(need_field(l, line, what, &f, err));
  *out = sn_symtab_find(m->phones, f.p, f.n);
  if (*out < 0) return text_fail(l, err, what, f);
  return SN_OK;
}

static sn_status read_tri_line(sni_mdef *m, const lines *l, sn_span line,
                               sn_err *err) {
  sni_mdef_tri t = {0, 0, 0, 0, -1};
  int32_t tmat = 0, pdfs[SNI_AM_MAX_STATES];
  bool is_filler = false;
  sn_span f = {0};
  SN_TRY(need_phone(m, l, &line, "a base phone of the model", &t.base, err));
  SN_TRY(need_phone(m, l, &line, "a left context", &t.left, err));
  SN_TRY(need_phone(m, l, &line, "a right context", &t.right, err));
  SN_TRY(need_field(l, &line, "a word position (b, e, i, s)", &f, err));
  const char *const at = f.n == 1 ? memchr(positions, f.p[0], 4) : NULL;
  if (at == NULL) return text_fail(l, err, "a word position (b, e, i, s)", f);
  t.pos = (int32_t)(at - positions);
  SN_TRY(read_filler(l, &line, &is_filler, err));
  if (is_filler != (m->is_filler[t.base] != 0))
    return sn_fail(err, SN_EFORMAT,
                   "%s:%lld: the triphone's filler mark differs from that of "
                   "its base phone %s",
                   l->name, (long long)l->no, sn_symtab_get(m->phones, t.base));
  SN_TRY(read_states(m, l, &line, &tmat, pdfs, err));
  return add_phone(m, t, pdfs, tmat, err);
}

static sn_status read_text(sni_mdef *m, const void *data, size_t n,
                           const char *name, sn_err *err) {
  lines l = {{data, n}, 0, name};
  text_head h;
  sn_span line = {0}, f = {0};
  if (!next_line(&l, &line) || !sn_next_field(&line, &f) ||
      !sn_span_eq(f, "0.3"))
    return text_fail(&l, err,
                     "\"BMDF\" or version 0.3 (a Sphinx model definition)", f);
  SN_TRY(read_text_head(&l, &h, err));
  m->n_phones = h.n_base;
  m->n_pdfs = h.n_pdfs;
  m->n_tmats = h.n_tmats;
  m->n_states = h.n_map / (h.n_base + h.n_tri) - 1;
  SN_TRY(reserve(m, err));
  for (int32_t p = 0; p < h.n_base + h.n_tri; p++) {
    if (!next_line(&l, &line))
      return sn_fail(err, SN_EFORMAT,
                     "%s:%lld: the file ends after %d of %d phones", name,
                     (long long)l.no, p, h.n_base + h.n_tri);
    if (p < h.n_base)
      SN_TRY(read_base_line(m, &l, line, p, err));
    else
      SN_TRY(read_tri_line(m, &l, line, err));
  }
  if (next_line(&l, &line))
    return text_fail(&l, err, "the end after the last phone", line);
  return finish(m, name, err);
}

/* ---- Binary ---- */

typedef struct bin_head {
  int32_t n_phone, n_seq, n_tree;
} bin_head;

static sn_status read_bin_head(sni_mdef *m, sni_bytes *b, bin_head *h,
                               sn_err *err) {
  int32_t v = 0, n_ci_pdfs = 0;
  const unsigned char *skip = NULL;
  SN_TRY(sni_bytes_count(b, "version", 1, 1, &v, err));
  SN_TRY(sni_bytes_count(b, "description length", 0, INT32_MAX, &v, err));
  SN_TRY(sni_bytes_take(b, "description", (size_t)v, &skip, err));
  SN_TRY(sni_bytes_count(b, "n_ciphone", 1, 255, &m->n_phones, err));
  SN_TRY(
      sni_bytes_count(b, "n_phone", m->n_phones, MAX_TRIS, &h->n_phone, err));
  SN_TRY(sni_bytes_count(b, "n_emit_state", 0, SNI_AM_MAX_STATES, &m->n_states,
                         err));
  if (m->n_states == 0)
    return sni_bytes_fail(b, err, b->at - 4, "n_emit_state",
                          "phones with different numbers of states are not "
                          "supported");
  SN_TRY(sni_bytes_count(b, "n_ci_sen", 0, SNI_AM_MAX_PDFS, &n_ci_pdfs, err));
  SN_TRY(sni_bytes_count(b, "n_sen", 1, SNI_AM_MAX_PDFS, &m->n_pdfs, err));
  SN_TRY(sni_bytes_count(b, "n_tmat", 1, SNI_AM_MAX_PDFS, &m->n_tmats, err));
  SN_TRY(sni_bytes_count(b, "n_sseq", 1, MAX_TRIS, &h->n_seq, err));
  SN_TRY(sni_bytes_count(b, "n_ctx", 3, 3, &v, err));
  SN_TRY(sni_bytes_count(b, "n_cd_tree", 0, INT32_MAX / 8, &h->n_tree, err));
  return sni_bytes_i32(b, "sil", &v, err); /* found by its name instead */
}

/* Names, each with a zero byte, then zeros up to a multiple of 4 counted from
 * the first name. */
static sn_status read_bin_names(sni_mdef *m, sni_bytes *b, sn_err *err) {
  const size_t first = b->at;
  const unsigned char *skip = NULL;
  for (int32_t p = 0; p < m->n_phones; p++) {
    const char *const s = (const char *)b->p + b->at;
    const size_t len = strnlen(s, b->n - b->at);
    int32_t id = 0;
    if (len == b->n - b->at || len == 0)
      return sni_bytes_fail(b, err, b->at, "phone name",
                            "name %d is empty or has no end", p);
    SN_TRY(sn_symtab_add(m->phones, s, len, &id, err));
    if (id != p)
      return sni_bytes_fail(b, err, b->at, "phone name", "'%s' is there twice",
                            sn_symtab_get(m->phones, id));
    b->at += len + 1;
  }
  return sni_bytes_take(b, "padding", (4 - (b->at - first) % 4) % 4, &skip,
                        err);
}

/* One entry of 12 bytes: sequence, matrix, and 4 bytes: (filler, -, -, -) of
 * a phone, (position, base, left, right) of a triphone. */
static sn_status read_bin_phone(sni_mdef *m, sni_bytes *b, const bin_head *h,
                                const int32_t *seqs, int32_t i, sn_err *err) {
  int32_t seq = 0, tmat = 0;
  const unsigned char *a = NULL;
  const size_t at = b->at;
  SN_TRY(sni_bytes_count(b, "senone sequence", 0, h->n_seq - 1, &seq, err));
  SN_TRY(
      sni_bytes_count(b, "transition matrix", 0, m->n_tmats - 1, &tmat, err));
  SN_TRY(sni_bytes_take(b, "attributes", 4, &a, err));
  sni_mdef_tri t = {0, i, -1, -1, -1};
  if (i < m->n_phones) {
    m->is_filler[i] = a[0] != 0;
  } else {
    t = (sni_mdef_tri){a[0], a[1], a[2], a[3], -1};
    if (t.pos >= SN_N_POS || t.base >= m->n_phones || t.left >= m->n_phones ||
        t.right >= m->n_phones)
      return sni_bytes_fail(b, err, at + 8, "triphone",
                            "position %d, phones %d, %d, %d: there are 4 "
                            "positions and %d phones",
                            t.pos, t.base, t.left, t.right, m->n_phones);
  }
  return add_phone(m, t, seqs + (size_t)seq * (size_t)m->n_states, tmat, err);
}

/* The sequences stand behind the phones: read them first. */
static sn_status read_bin_seqs(const sni_mdef *m, const sni_bytes *b,
                               const bin_head *h, int32_t **out, size_t *end,
                               sn_err *err) {
  sni_bytes c = *b;
  const unsigned char *skip = NULL;
  int32_t n = 0;
  SN_TRY(sni_bytes_take(&c, "phones", (size_t)h->n_phone * 12, &skip, err));
  SN_TRY(
      sni_bytes_count(&c, "size of senone sequences", 0, INT32_MAX, &n, err));
  if (n != (int64_t)h->n_seq * m->n_states)
    return sni_bytes_fail(&c, err, c.at - 4, "size of senone sequences",
                          "%d, but %d sequences of %d states", n, h->n_seq,
                          m->n_states);
  if ((size_t)n > (c.n - c.at) / 2)
    return sni_bytes_fail(&c, err, c.at, "senone sequences",
                          "%d announced, %zu bytes left; is the file "
                          "truncated?",
                          n, c.n - c.at);
  int32_t *const seqs = sn_calloc((size_t)n, sizeof *seqs);
  if (seqs == NULL) return sn_fail_nomem(err, c.name);
  for (int32_t i = 0; i < n; i++) {
    uint16_t v = 0;
    sn_status s = sni_bytes_u16(&c, "senone sequence", &v, err);
    if (s == SN_OK && v >= m->n_pdfs)
      s = sni_bytes_fail(&c, err, c.at - 2, "senone sequence",
                         "senone %u of %d", (unsigned)v, m->n_pdfs);
    if (s != SN_OK) {
      sn_free(seqs);
      return s;
    }
    seqs[i] = v;
  }
  *out = seqs;
  *end = c.at;
  return SN_OK;
}

static sn_status read_binary(sni_mdef *m, const void *data, size_t n,
                             const char *name, sn_err *err) {
  sni_bytes b = {.p = data, .n = n, .name = name, .at = 4};
  bin_head h = {0};
  int32_t *seqs = NULL;
  size_t end = 0;
  const unsigned char *skip = NULL;
  b.swap = memcmp(data, "FDMB", 4) == 0;
  SN_TRY(read_bin_head(m, &b, &h, err));
  SN_TRY(reserve(m, err));
  SN_TRY(read_bin_names(m, &b, err));
  SN_TRY(sni_bytes_take(&b, "context tree", (size_t)h.n_tree * 8, &skip, err));
  SN_TRY(read_bin_seqs(m, &b, &h, &seqs, &end, err));
  sn_status s = SN_OK;
  for (int32_t i = 0; i < h.n_phone && s == SN_OK; i++)
    s = read_bin_phone(m, &b, &h, seqs, i, err);
  sn_free(seqs);
  SN_TRY(s);
  b.at = end;
  if (b.at != b.n)
    return sni_bytes_fail(&b, err, b.at, "end of data",
                          "%zu more bytes than the header tells of",
                          b.n - b.at);
  return finish(m, name, err);
}

sn_status sni_mdef_read(const void *data, size_t n, const char *name,
                        sni_mdef *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  const bool binary =
      n >= 4 && (memcmp(data, "BMDF", 4) == 0 || memcmp(data, "FDMB", 4) == 0);
  const sn_status s = binary ? read_binary(out, data, n, name, err)
                             : read_text(out, data, n, name, err);
  sn_free(out->slots);
  out->slots = NULL;
  out->n_slots = 0;
  if (s != SN_OK) sni_mdef_clear(out);
  return s;
}
