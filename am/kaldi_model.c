/* SPDX-License-Identifier: Apache-2.0 */
/* Kaldi's transition model, binary.
 *
 * Layout: "\0B", then tokens, each followed by a blank, and values: an int32 is
 * the byte 4 and 4 bytes, a float likewise, an int vector the byte 4, its
 * length as 4 plain bytes and the elements.
 *
 *   <TransitionModel> <Topology> phones[] phone2index[] [-1] n_entries
 *     { n_states { pdf_class [loop_class] n { to probability } } }
 *   </Topology> <Triples>|<Tuples> n { phone hmm_state pdf [loop_pdf] }
 *   </Triples>|</Tuples> <LogProbs> FV n floats </LogProbs>
 *   </TransitionModel>
 *
 * The -1 and the loop classes are there in models whose self-loops have pdfs
 * of their own ("Tuples"). Transition ids number the transitions of the
 * triples in order, in the order of the topology, from 1. */
#include "am/kaldi_model.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define MAX_TIDS (1 << 26)

typedef struct topo_state {
  size_t first, n; /* in transitions */
} topo_state;

typedef struct topology {
  sn_arr_i32 phones, index; /* index: entry of a phone, or -1 */
  SN_ARR(size_t) entries;   /* first state of each; one more at the end */
  SN_ARR(topo_state) states;
  sn_arr_i32 to; /* of the transitions */
  bool has_loop_pdfs;
} topology;

static void topology_clear(topology *t) {
  SN_ARR_FREE(&t->phones);
  SN_ARR_FREE(&t->index);
  SN_ARR_FREE(&t->entries);
  SN_ARR_FREE(&t->states);
  SN_ARR_FREE(&t->to);
}

static sn_status bad(sn_reader *r, sn_err *err, const char *field,
                     int64_t value) {
  return sn_fail(err, SN_EFORMAT, "%s: byte %lld: transition model: %s is %lld",
                 sn_reader_name(r), (long long)sn_reader_offset(r), field,
                 (long long)value);
}

static sn_status read_token(sn_reader *r, char token[32], sn_err *err) {
  size_t n = 0;
  for (;;) {
    char c;
    SN_TRY(sn_read_bytes(r, &c, 1, err));
    if (c == ' ' || c == '\n') break;
    if (n >= 31)
      return sn_fail(err, SN_EFORMAT, "%s: byte %lld: no token here",
                     sn_reader_name(r), (long long)sn_reader_offset(r));
    token[n++] = c;
  }
  token[n] = '\0';
  return SN_OK;
}

static sn_status expect(sn_reader *r, const char *want, sn_err *err) {
  char token[32];
  SN_TRY(read_token(r, token, err));
  if (strcmp(token, want) == 0) return SN_OK;
  return sn_fail(err, SN_EFORMAT, "%s: byte %lld: expected %s, found '%s'",
                 sn_reader_name(r), (long long)sn_reader_offset(r), want,
                 token);
}

/* A value of 4 bytes behind its size. */
static sn_status read_4(sn_reader *r, void *to, sn_err *err) {
  char size;
  SN_TRY(sn_read_bytes(r, &size, 1, err));
  if (size != 4) return bad(r, err, "size of a value", size);
  return sn_read_bytes(r, to, 4, err);
}

static sn_status read_ints(sn_reader *r, sn_arr_i32 *v, sn_err *err) {
  char size;
  int32_t n = 0;
  SN_TRY(sn_read_bytes(r, &size, 1, err));
  if (size != 4) return bad(r, err, "size of an element", size);
  SN_TRY(sn_read_bytes(r, &n, sizeof n, err));
  if (n < 0 || n > MAX_TIDS) return bad(r, err, "length of a vector", n);
  for (int32_t i = 0; i < n; i++) {
    int32_t x = 0;
    SN_TRY(sn_read_bytes(r, &x, sizeof x, err));
    SN_TRY(SN_ARR_PUSH(v, x, err));
  }
  return SN_OK;
}

static sn_status read_topo_state(sn_reader *r, topology *t, sn_err *err) {
  int32_t pdf_class = 0, n = 0, to = 0;
  float p = 0.0f;
  SN_TRY(read_4(r, &pdf_class, err));
  if (t->has_loop_pdfs) SN_TRY(read_4(r, &pdf_class, err));
  SN_TRY(read_4(r, &n, err));
  if (n < 0 || n > 1000) return bad(r, err, "number of transitions", n);
  const topo_state s = {t->to.n, (size_t)n};
  for (int32_t i = 0; i < n; i++) {
    SN_TRY(read_4(r, &to, err));
    SN_TRY(read_4(r, &p, err));
    SN_TRY(SN_ARR_PUSH(&t->to, to, err));
  }
  return SN_ARR_PUSH(&t->states, s, err);
}

static sn_status read_topology(sn_reader *r, topology *t, sn_err *err) {
  int32_t n = 0;
  SN_TRY(expect(r, "<Topology>", err));
  SN_TRY(read_ints(r, &t->phones, err));
  SN_TRY(read_ints(r, &t->index, err));
  SN_TRY(read_4(r, &n, err));
  t->has_loop_pdfs = n == -1;
  if (t->has_loop_pdfs) SN_TRY(read_4(r, &n, err));
  if (n < 0 || n > MAX_TIDS) return bad(r, err, "number of topologies", n);
  for (int32_t i = 0; i < n; i++) {
    int32_t n_states = 0;
    SN_TRY(read_4(r, &n_states, err));
    if (n_states < 0 || n_states > 1000)
      return bad(r, err, "number of states", n_states);
    SN_TRY(SN_ARR_PUSH(&t->entries, t->states.n, err));
    for (int32_t s = 0; s < n_states; s++) SN_TRY(read_topo_state(r, t, err));
  }
  SN_TRY(SN_ARR_PUSH(&t->entries, t->states.n, err));
  return expect(r, "</Topology>", err);
}

/* The topology's state for a triple. */
static sn_status find_state(sn_reader *r, const topology *t, int32_t phone,
                            int32_t hmm_state, topo_state *out, sn_err *err) {
  if (phone < 0 || (size_t)phone >= t->index.n)
    return bad(r, err, "phone of a triple", phone);
  const int32_t entry = t->index.data[phone];
  if (entry < 0 || (size_t)entry + 1 >= t->entries.n)
    return bad(r, err, "topology of a phone", entry);
  const size_t first = t->entries.data[entry];
  const size_t n = t->entries.data[entry + 1] - first;
  if (hmm_state < 0 || (size_t)hmm_state >= n)
    return bad(r, err, "HMM state of a triple", hmm_state);
  *out = t->states.data[first + (size_t)hmm_state];
  return SN_OK;
}

static sn_status read_triples(sn_reader *r, const topology *t,
                              sn_kaldi_trans *out, sn_err *err) {
  char token[32];
  int32_t n = 0;
  SN_TRY(read_token(r, token, err));
  const bool tuples = strcmp(token, "<Tuples>") == 0;
  if (!tuples && strcmp(token, "<Triples>") != 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s: byte %lld: expected <Triples> or <Tuples>, found '%s'",
                   sn_reader_name(r), (long long)sn_reader_offset(r), token);
  SN_TRY(read_4(r, &n, err));
  if (n < 0 || n > MAX_TIDS) return bad(r, err, "number of triples", n);
  const sn_kaldi_tid none = {-1, -1, -1, 0, 0.0f, false};
  SN_TRY(SN_ARR_PUSH(&out->tids, none, err));
  for (int32_t i = 0; i < n; i++) {
    int32_t phone = 0, hmm_state = 0, pdf = 0, loop_pdf = 0;
    topo_state s = {0};
    SN_TRY(read_4(r, &phone, err));
    SN_TRY(read_4(r, &hmm_state, err));
    SN_TRY(read_4(r, &pdf, err));
    loop_pdf = pdf;
    if (tuples) SN_TRY(read_4(r, &loop_pdf, err));
    if (pdf < 0 || pdf > MAX_TIDS) return bad(r, err, "pdf of a triple", pdf);
    if (loop_pdf < 0 || loop_pdf > MAX_TIDS)
      return bad(r, err, "pdf of a self-loop", loop_pdf);
    SN_TRY(find_state(r, t, phone, hmm_state, &s, err));
    for (size_t k = 0; k < s.n; k++) {
      const bool loop = t->to.data[s.first + k] == hmm_state;
      const sn_kaldi_tid tid = {phone, hmm_state, loop ? loop_pdf : pdf,
                                i + 1, 0.0f,      loop};
      if (out->tids.n >= MAX_TIDS)
        return bad(r, err, "number of transitions", (int64_t)out->tids.n);
      SN_TRY(SN_ARR_PUSH(&out->tids, tid, err));
    }
    if (pdf >= out->n_pdfs) out->n_pdfs = pdf + 1;
    if (loop_pdf >= out->n_pdfs) out->n_pdfs = loop_pdf + 1;
  }
  out->n_states = n;
  return expect(r, tuples ? "</Tuples>" : "</Triples>", err);
}

static sn_status read_log_probs(sn_reader *r, sn_kaldi_trans *out,
                                sn_err *err) {
  int32_t n = 0;
  SN_TRY(expect(r, "<LogProbs>", err));
  SN_TRY(expect(r, "FV", err));
  SN_TRY(read_4(r, &n, err));
  if (n < 0 || (size_t)n != out->tids.n)
    return sn_fail(err, SN_EMISMATCH,
                   "%s: byte %lld: %d log probabilities for %zu transitions",
                   sn_reader_name(r), (long long)sn_reader_offset(r), n,
                   out->tids.n);
  for (int32_t i = 0; i < n; i++) {
    float x = 0.0f;
    SN_TRY(sn_read_bytes(r, &x, sizeof x, err));
    if (i > 0 && !(x <= 1e-3f && x > -INFINITY))
      return sn_fail(err, SN_EFORMAT,
                     "%s: byte %lld: log probability of transition %d is %g",
                     sn_reader_name(r), (long long)sn_reader_offset(r), i,
                     (double)x);
    out->tids.data[i].logp = x;
  }
  SN_TRY(expect(r, "</LogProbs>", err));
  return expect(r, "</TransitionModel>", err);
}

sn_status sn_kaldi_trans_read(sn_reader *r, sn_kaldi_trans *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  topology t = {0};
  char mark[2];
  SN_TRY(sn_read_bytes(r, mark, sizeof mark, err));
  if (mark[0] == '<')
    return sn_fail(err, SN_EFORMAT,
                   "%s: a text model; convert it with gmm-copy --binary=true "
                   "or nnet3-am-copy --binary=true",
                   sn_reader_name(r));
  if (mark[0] != '\0' || mark[1] != 'B')
    return sn_fail(err, SN_EFORMAT, "%s: byte 0: not a binary Kaldi file",
                   sn_reader_name(r));
  sn_status s = expect(r, "<TransitionModel>", err);
  if (s == SN_OK) s = read_topology(r, &t, err);
  if (s == SN_OK) s = read_triples(r, &t, out, err);
  if (s == SN_OK) s = read_log_probs(r, out, err);
  topology_clear(&t);
  if (s != SN_OK) sn_kaldi_trans_clear(out);
  return s;
}

sn_status sn_kaldi_trans_load(const char *path, sn_kaldi_trans *out,
                              sn_err *err) {
  memset(out, 0, sizeof *out);
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  const sn_status s = sn_kaldi_trans_read(r, out, err);
  sn_reader_destroy(r);
  return s;
}

void sn_kaldi_trans_clear(sn_kaldi_trans *t) {
  SN_ARR_FREE(&t->tids);
  memset(t, 0, sizeof *t);
}
