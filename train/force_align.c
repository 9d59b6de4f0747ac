/* SPDX-License-Identifier: Apache-2.0 */
/* Forced alignment:
 *
 *   1. the transcript's words and their pronunciations, a lexicon of their own;
 *   2. a grammar of the words in a row, compiled to a graph;
 *   3. features and scores of all frames, and each frame's best pdf;
 *   4. search, with a wider beam until a path reaches the end;
 *   5. words and phones of the path. */
#include "train/force_align.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "decoder/decoder.h"
#include "decoder/lat_paths.h"
#include "graphs/build.h"

#define AT(field) offsetof(sn_align_opts, field)
const sn_opt sn_align_opt_table[] = {
    {"beam", SN_OPT_FLOAT, AT(beam), 200, 1, 1e30, NULL, "nat",
     "paths so far below the best are given up"},
    {"retry-beam", SN_OPT_FLOAT, AT(retry_beam), 3200, 1, 1e30, NULL, "nat",
     "the beam is doubled up to this when no path reaches the end"},
    SN_OPT_END};

struct sn_aligner {
  const sn_am *am, *first;       /* first: of features as they are, or NULL */
  const sn_transform *transform; /* of the speaker, or NULL */
  const sn_lexicon *lex;
  char *temp;
  sn_align_opts opts;
  sn_feat *feat;
  sn_feat *base;         /* cmn = speaker: for the mean; else NULL */
  sn_feat_stream *feats; /* NULL: each utterance's own mean */
};

void sn_alignment_clear(sn_alignment *a) {
  const sn_alignment none = {0};
  sn_arena_clear(&a->memory);
  sn_mat_free(&a->feats);
  *a = none;
}

sn_status sn_aligner_create(const sn_am *am, const sn_lexicon *lex,
                            const char *temp, const sn_align_opts *opts,
                            sn_aligner **out, sn_err *err) {
  *out = NULL;
  sn_aligner *const a = sn_calloc(1, sizeof *a);
  if (a == NULL) return sn_fail_nomem(err, "alignment");
  a->am = am;
  a->lex = lex;
  sn_opt_defaults(sn_align_opt_table, &a->opts);
  if (opts != NULL) a->opts = *opts;
  a->temp = sn_strdup(temp);
  sn_status s = a->temp == NULL ? sn_fail_nomem(err, "alignment") : SN_OK;
  const sn_feat_config *const config = sn_am_feat(am);
  if (s == SN_OK) s = sn_feat_create(config, SN_FEAT_FULL, &a->feat, err);
  /* Sphinx's default is a running mean, for live audio; here all of it is
     there. */
  const sn_cmn_mode cmn = sn_feat_config_dialect(config) == SN_FEAT_SPHINX
                              ? SN_CMN_BATCH
                              : SN_CMN_DEFAULT;
  if (s == SN_OK && sn_feat_config_wants_speaker(config))
    s = sn_feat_create(config, SN_FEAT_BASE, &a->base, err);
  else if (s == SN_OK)
    s = sn_feat_stream_create(a->feat, cmn, &a->feats, err);
  if (s != SN_OK) {
    sn_aligner_destroy(a);
    return s;
  }
  *out = a;
  return SN_OK;
}

void sn_aligner_destroy(sn_aligner *a) {
  if (a == NULL) return;
  sn_feat_stream_destroy(a->feats);
  sn_feat_destroy(a->feat);
  sn_feat_destroy(a->base);
  sn_free(a->temp);
  sn_free(a);
}

void sn_aligner_set_first(sn_aligner *a, const sn_am *first) {
  a->first = first;
}

void sn_aligner_set_transform(sn_aligner *a, const sn_transform *t) {
  a->transform = t;
}

double sn_aligner_rate_hz(const sn_aligner *a) {
  return sn_feat_rate_hz(a->feat);
}

typedef struct job {
  sn_aligner *a;
  const char *text;
  sn_alignment *out;
  sn_lexicon words; /* of the transcript */
  sn_grammar row;
  sn_graph *graph;
  sn_err *err;
} job;

static sn_status fail_with(job *j, sn_align_failure why, const char *detail) {
  j->out->failure = why;
  j->out->detail = sn_arena_strndup(&j->out->memory, detail, strlen(detail));
  return j->out->detail == NULL ? sn_fail_nomem(j->err, "alignment") : SN_OK;
}

/* ---- 1, 2: words to graph ---- */

/* All pronunciations of a word of the large lexicon into the small one. */
static sn_status copy_word(job *j, int32_t word) {
  const sn_lexicon *const lex = j->a->lex;
  int32_t first = 0;
  const int32_t n = sn_lexicon_prons(lex, word, &first);
  for (int32_t p = first; p < first + n; p++) {
    const char *names[256];
    const sn_pron *const pron = &lex->prons.data[p];
    const int32_t *const ids = sn_lexicon_phones(lex, p);
    if (pron->n_phones > 256)
      return sn_fail(j->err, SN_ELIMIT, "'%s': a pronunciation of %d phones",
                     sn_symtab_get(lex->words, word), (int)pron->n_phones);
    for (int32_t i = 0; i < pron->n_phones; i++)
      names[i] = sn_symtab_get(lex->phones, ids[i]);
    SN_TRY(sn_lexicon_add(&j->words, sn_symtab_get(lex->words, word),
                          pron->logp, names, (size_t)pron->n_phones, j->err));
  }
  return SN_OK;
}

static sn_status add_word(job *j, sn_span word, sn_str *unknown) {
  const int32_t known = sn_symtab_find(j->a->lex->words, word.p, word.n);
  int32_t first = 0, id = 0;
  if (known < 0 || sn_lexicon_prons(j->a->lex, known, &first) == 0)
    return sn_str_addf(unknown, j->err, "%s'%.*s'", unknown->n > 0 ? ", " : "",
                       (int)word.n, word.p);
  const int32_t before = sn_symtab_n(j->row.words);
  SN_TRY(sn_symtab_add(j->row.words, word.p, word.n, &id, j->err));
  if (id == before) SN_TRY(copy_word(j, known));
  const sn_grammar_arc arc = {j->row.final, j->row.final + 1, id, 0};
  j->row.final++;
  j->row.n_states++;
  return SN_ARR_PUSH(&j->row.arcs, arc, j->err);
}

static sn_status make_row(job *j) {
  sn_str unknown = {0};
  sn_span rest = sn_span_of(j->text), word;
  SN_TRY(sn_lexicon_init(&j->words, j->err));
  SN_TRY(sn_symtab_create(&j->row.words, j->err));
  j->row.n_states = 1;
  sn_status s = SN_OK;
  while (s == SN_OK && sn_next_field(&rest, &word))
    s = add_word(j, word, &unknown);
  if (s == SN_OK && unknown.n > 0)
    s = fail_with(j, SN_ALIGN_OOV, sn_str_get(&unknown));
  else if (s == SN_OK && j->row.arcs.n == 0)
    s = fail_with(j, SN_ALIGN_NO_WORDS, "no words");
  sn_str_clear(&unknown);
  return s;
}

static sn_status compile(job *j) {
  sn_graph_opts o;
  sn_opt_defaults(sn_graph_opt_table, &o);
  o.lm_scale = 1;
  o.word_penalty = 0;
  o.noises = SN_NOISES_EVERYWHERE;
  SN_TRY(sn_lexicon_group(&j->words, j->err));
  j->row.name = sn_strdup("transcript");
  char *const path = sn_path_join(j->a->temp, "senone-align-XXXXXX");
  if (path == NULL || j->row.name == NULL) {
    sn_free(path);
    return sn_fail_nomem(j->err, "alignment");
  }
  const int fd = mkstemp(path);
  sn_status s = SN_OK;
  if (fd < 0) {
    s = sn_fail(j->err, SN_EIO, "no temporary file can be made in '%s'",
                j->a->temp);
  } else {
    (void)close(fd);
    s = sn_graph_build(j->a->am, &j->words, NULL, &j->row, &o, NULL, path, NULL,
                       j->err);
    if (s == SN_OK) s = sn_graph_open(path, &j->graph, j->err);
    (void)unlink(path); /* an open graph stays mapped */
  }
  sn_free(path);
  return s;
}

/* ---- 3, 4: search ---- */

/* A scorer that remembers the sum of each frame's best pdf. */
typedef struct watcher {
  sn_scorer base;
  sn_scorer *inner;
  int64_t n_seen;
  double best_sum;
} watcher;

static int64_t watch_ready(const sn_scorer *s) {
  const watcher *const w = (const watcher *)s;
  return w->inner->ops->n_frames_ready(w->inner);
}
static bool watch_finished(const sn_scorer *s) {
  const watcher *const w = (const watcher *)s;
  return w->inner->ops->finished(w->inner);
}
static sn_status watch_scores(sn_scorer *s, int64_t t, const float **row,
                              sn_err *err) {
  watcher *const w = (watcher *)s;
  SN_TRY(w->inner->ops->scores(w->inner, t, row, err));
  if (t != w->n_seen) return SN_OK;
  float best = (*row)[0];
  for (int32_t i = 1; i < s->n_pdfs; i++)
    best = (*row)[i] > best ? (*row)[i] : best;
  w->best_sum += (double)best;
  w->n_seen++;
  return SN_OK;
}
static void watch_time(const sn_scorer *s, int64_t t, double *begin_s,
                       double *end_s) {
  const watcher *const w = (const watcher *)s;
  w->inner->ops->frame_time(w->inner, t, begin_s, end_s);
}
static void watch_destroy(sn_scorer *s) { (void)s; }
static const sn_scorer_ops watch_ops = {
    watch_ready, watch_finished, watch_scores, watch_time, watch_destroy};

/* The pdf of each frame of the best path. */
static sn_status take_pdfs(job *j, sn_decoder *d) {
  sn_lat lat = {0};
  sn_lat_path path = {0};
  const sn_lat_scales scales = sn_decoder_scales(d);
  sn_status s = sn_decoder_raw_lattice(d, true, NULL, &lat, j->err);
  if (s == SN_OK) s = sn_lat_best(&lat, &scales, &path, j->err);
  int32_t *const pdfs =
      sn_arena_alloc(&j->out->memory, path.ali.n + 1, sizeof *pdfs);
  bool *const speech =
      sn_arena_alloc(&j->out->memory, path.ali.n + 1, sizeof *speech);
  if (s == SN_OK && (pdfs == NULL || speech == NULL))
    s = sn_fail_nomem(j->err, "alignment");
  for (size_t t = 0; s == SN_OK && t < path.ali.n; t++) {
    const sn_graph_label *const label = &j->graph->labels[path.ali.data[t]];
    pdfs[t] = label->pdf;
    speech[t] = !label->is_filler;
  }
  j->out->pdfs = pdfs;
  j->out->speech = speech;
  j->out->n_frames = (int64_t)path.ali.n;
  sn_lat_path_clear(&path);
  sn_lat_clear(&lat);
  return s;
}

/* One pass over the samples with the given beam. */
static sn_status search(job *j, const float *samples, size_t n, float beam,
                        sn_hyp *hyp, double *best_sum) {
  sn_decoder *d = NULL;
  sn_scorer *inner = NULL;
  sn_decoder_opts o;
  sn_status s = SN_OK;
  const sn_aligner *const a = j->a;
  const sn_am *const am =
      a->transform == NULL && a->first != NULL ? a->first : a->am;
  sn_opt_defaults(sn_decoder_opt_table, &o);
  o.beam = beam;
  o.max_active = 100000000; /* the beam alone decides */
  o.acoustic_scale = 1;
  /* a lattice of hardly more than the best path tells its states */
  o.lattice_beam = a->opts.keep_frames ? 0.01f : 0;
  sn_feat_stream_reset(a->feats, false);
  SN_TRY_GOTO(s, sn_feat_stream_push(a->feats, samples, n, j->err));
  SN_TRY_GOTO(s, sn_feat_stream_finish(a->feats, j->err));
  SN_TRY_GOTO(s, sn_am_scorer_create(am, a->feats, &inner, j->err));
  SN_TRY_GOTO(s, sn_am_scorer_set_transform(inner, a->transform, j->err));
  SN_TRY_GOTO(s, sn_decoder_create(j->graph, &o, &d, j->err));
  watcher w = {{&watch_ops, inner->n_pdfs}, inner, 0, 0};
  SN_TRY_GOTO(s, sn_decoder_start(d, j->err));
  SN_TRY_GOTO(s, sn_decoder_advance(d, &w.base, j->err));
  SN_TRY_GOTO(s, sn_decoder_best(d, true, hyp, j->err));
  if (a->opts.keep_frames && hyp->reached_final)
    SN_TRY_GOTO(s, take_pdfs(j, d));
  *best_sum = w.best_sum;
fail:
  sn_decoder_destroy(d);
  sn_scorer_destroy(inner);
  return s;
}

/* Frames that the shortest way through a phone takes: as many as states on it.
 */
static int64_t phone_frames(const sn_am *am, int32_t phone) {
  const sn_hmm h = sn_am_hmm(am, sn_am_monophone(am, phone));
  int64_t least = h.n_states, to[16];
  if (h.n_states > 16) return 1;
  for (int32_t i = 0; i < h.n_states; i++) to[i] = i == 0 ? 1 : INT32_MAX;
  for (int32_t i = 0; i < h.n_states; i++) {
    const float *const row = h.logp + (size_t)i * ((size_t)h.n_states + 1);
    for (int32_t k = i + 1; k < h.n_states; k++)
      if (row[k] > -INFINITY && to[i] + 1 < to[k]) to[k] = to[i] + 1;
    if (row[h.n_states] > -INFINITY && to[i] < least) least = to[i];
  }
  return least;
}

static int64_t word_frames(const job *j, int32_t id) {
  int32_t first = 0;
  int64_t best = INT32_MAX;
  const int32_t k = sn_lexicon_prons(&j->words, id, &first);
  for (int32_t p = first; p < first + k; p++) {
    const int32_t *const ids = sn_lexicon_phones(&j->words, p);
    int64_t n = 0;
    for (int32_t i = 0; i < j->words.prons.data[p].n_phones; i++) {
      const char *const name = sn_symtab_get(j->words.phones, ids[i]);
      const int32_t phone = sn_am_find_phone(j->a->am, name);
      n += phone >= 0 ? phone_frames(j->a->am, phone) : 1;
    }
    if (n < best) best = n;
  }
  return k > 0 ? best : 0;
}

/* Frames that the shortest path through the words takes. */
static int64_t least_frames(const job *j) {
  int64_t n = 0;
  for (size_t i = 0; i < j->row.arcs.n; i++) {
    const char *const word =
        sn_symtab_get(j->row.words, j->row.arcs.data[i].word);
    n += word_frames(j, sn_symtab_finds(j->words.words, word));
  }
  return n;
}

static sn_status find_path(job *j, const float *samples, size_t n, sn_hyp *hyp,
                           double *best_sum) {
  float beam = j->a->opts.beam;
  for (;;) {
    sn_hyp_clear(hyp);
    SN_TRY(search(j, samples, n, beam, hyp, best_sum));
    if (hyp->n_frames < least_frames(j)) {
      sn_str why = {0};
      sn_status s =
          sn_str_addf(&why, j->err, "%lld frames; the words take %lld at least",
                      (long long)hyp->n_frames, (long long)least_frames(j));
      if (s == SN_OK) s = fail_with(j, SN_ALIGN_TOO_SHORT, sn_str_get(&why));
      sn_str_clear(&why);
      return s;
    }
    if (hyp->reached_final && !hyp->no_path) {
      j->out->beam = beam;
      return SN_OK;
    }
    if (beam * 2 > j->a->opts.retry_beam)
      return fail_with(j, SN_ALIGN_BEAM,
                       "no path through the words reaches the end; are these "
                       "the words that are said?");
    beam *= 2;
  }
}

/* ---- 5: result ---- */

static sn_status take_path(job *j, const sn_hyp *h, double best_sum) {
  sn_alignment *const o = j->out;
  o->words = sn_arena_alloc(&o->memory, h->n_words, sizeof *o->words);
  o->phones = sn_arena_alloc(&o->memory, h->n_phones, sizeof *o->phones);
  if ((o->words == NULL && h->n_words > 0) ||
      (o->phones == NULL && h->n_phones > 0))
    return sn_fail_nomem(j->err, "alignment");
  for (size_t i = 0; i < h->n_words; i++) {
    const sn_hyp_word *const w = &h->words[i];
    const char *const text = sn_graph_word(j->graph, w->word);
    o->words[i].text = sn_arena_strndup(&o->memory, text, strlen(text));
    if (o->words[i].text == NULL) return sn_fail_nomem(j->err, "alignment");
    o->words[i].begin_s = w->begin_s;
    o->words[i].end_s = w->end_s;
    o->words[i].loglik = -(double)w->acoustic_cost;
  }
  for (size_t i = 0; i < h->n_phones; i++) {
    const sn_hyp_phone *const p = &h->phones[i];
    const char *const name = sn_graph_phone(j->graph, p->phone);
    o->phones[i].name = sn_arena_strndup(&o->memory, name, strlen(name));
    if (o->phones[i].name == NULL) return sn_fail_nomem(j->err, "alignment");
    o->phones[i].word = p->word;
    o->phones[i].begin_s = p->begin_s;
    o->phones[i].end_s = p->end_s;
  }
  o->n_words = h->n_words;
  o->n_phones = h->n_phones;
  o->n_frames = h->n_frames;
  o->loglik = -h->acoustic_cost;
  o->margin = o->loglik - best_sum;
  return SN_OK;
}

/* The features once more, all of them. */
static sn_status keep_feats(job *j, const float *samples, size_t n) {
  sn_alignment *const o = j->out;
  size_t got = 0;
  sn_feat_stream_reset(j->a->feats, false);
  SN_TRY(sn_feat_stream_push(j->a->feats, samples, n, j->err));
  SN_TRY(sn_feat_stream_finish(j->a->feats, j->err));
  SN_TRY(sn_mat_alloc(sn_feat_stream_ready(j->a->feats),
                      sn_feat_dim(j->a->feat), &o->feats, j->err));
  SN_TRY(sn_feat_stream_pull(j->a->feats, o->feats, NULL, &got, j->err));
  SN_ASSERT((int64_t)got == o->n_frames);
  return SN_OK;
}

static sn_status run(job *j, const float *samples, size_t n) {
  sn_hyp hyp = {0};
  double best_sum = 0;
  SN_TRY(make_row(j));
  if (j->out->failure != SN_ALIGN_DONE) return SN_OK;
  SN_TRY(compile(j));
  sn_status s = find_path(j, samples, n, &hyp, &best_sum);
  if (s == SN_OK && j->out->failure == SN_ALIGN_DONE)
    s = take_path(j, &hyp, best_sum);
  if (s == SN_OK && j->out->failure == SN_ALIGN_DONE && j->a->opts.keep_frames)
    s = keep_feats(j, samples, n);
  sn_hyp_clear(&hyp);
  return s;
}

/* NULL: that of each utterance. */
static sn_status set_mean(sn_aligner *a, const sn_cmvn_stats *mean,
                          sn_err *err) {
  sn_feat_stream_destroy(a->feats);
  a->feats = NULL;
  if (mean == NULL) return SN_OK;
  return sn_feat_stream_create_for(a->feat, SN_CMN_DEFAULT, mean, &a->feats,
                                   err);
}

/* The mean of these samples alone. */
static sn_status set_own_mean(sn_aligner *a, const float *samples, size_t n,
                              sn_err *err) {
  sn_feat_stream *stream = NULL;
  sn_cmvn_stats *stats = NULL;
  sn_mat frames = {0};
  size_t got = 0;
  sn_status s = sn_feat_stream_create(a->base, SN_CMN_DEFAULT, &stream, err);
  if (s == SN_OK) s = sn_feat_stream_push(stream, samples, n, err);
  if (s == SN_OK) s = sn_feat_stream_finish(stream, err);
  if (s == SN_OK)
    s = sn_mat_alloc(sn_feat_stream_ready(stream), sn_feat_dim(a->base),
                     &frames, err);
  if (s == SN_OK) s = sn_feat_stream_pull(stream, frames, NULL, &got, err);
  if (s == SN_OK) s = sn_cmvn_stats_create(sn_feat_dim(a->base), &stats, err);
  if (s == SN_OK) sn_cmvn_stats_add(stats, sn_mat_const(frames));
  /* too short for a frame: any mean will do */
  if (s == SN_OK && frames.rows == 0) stats->count = 1;
  if (s == SN_OK) s = set_mean(a, stats, err);
  sn_mat_free(&frames);
  sn_cmvn_stats_destroy(stats);
  sn_feat_stream_destroy(stream);
  return s;
}

sn_status sn_aligner_set_speaker(sn_aligner *a, const sn_spk_cmvn *speakers,
                                 const sn_utt *u, sn_err *err) {
  if (a->base == NULL) return SN_OK;
  return set_mean(
      a,
      speakers != NULL ? sn_spk_cmvn_find(speakers, sn_utt_speaker(u)) : NULL,
      err);
}

sn_status sn_aligner_run(sn_aligner *a, const float *samples, size_t n,
                         const char *text, sn_alignment *out, sn_err *err) {
  const sn_alignment none = {.detail = ""};
  *out = none;
  out->audio_s = (double)n / sn_aligner_rate_hz(a);
  job j = {.a = a, .text = text, .out = out, .err = err};
  const bool alone = a->feats == NULL;
  sn_status s = alone ? set_own_mean(a, samples, n, err) : SN_OK;
  if (s == SN_OK) s = run(&j, samples, n);
  if (alone) {
    sn_feat_stream_destroy(a->feats);
    a->feats = NULL;
  }
  sn_graph_destroy(j.graph);
  sn_grammar_clear(&j.row);
  sn_lexicon_clear(&j.words);
  if (s != SN_OK) sn_alignment_clear(out);
  return s;
}
