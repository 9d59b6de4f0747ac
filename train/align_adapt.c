/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms of speakers from alignments with their words. Utterances are
 * aligned in parallel; frames are added in the order of the corpus by one
 * thread, so that sums do not depend on how many there are. */
#include "train/align_adapt.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "frontend/audio.h"

struct sn_spk_transforms {
  sn_symtab *names;
  sn_transform **list; /* [speakers] NULL: none */
};

void sn_spk_transforms_destroy(sn_spk_transforms *s) {
  if (s == NULL) return;
  for (int32_t i = 0; s->list != NULL && i < sn_symtab_n(s->names); i++)
    sn_transform_destroy(s->list[i]);
  sn_free(s->list);
  sn_symtab_destroy(s->names);
  sn_free(s);
}

const sn_transform *sn_spk_transforms_find(const sn_spk_transforms *s,
                                           const char *speaker) {
  if (s == NULL) return NULL;
  const int32_t id = sn_symtab_finds(s->names, speaker);
  return id >= 0 ? s->list[id] : NULL;
}

sn_status sn_align_utt(sn_aligner *a, const sn_spk_cmvn *means,
                       const sn_spk_transforms *transforms, const sn_utt *u,
                       sn_log *log, sn_alignment *out, sn_err *err) {
  const sn_audio_opts opts = {.channel = SN_CHANNEL_FIRST,
                              .rate_hz = sn_aligner_rate_hz(a),
                              .begin_s = u->begin_s,
                              .end_s = u->end_s};
  sn_audio *audio = NULL;
  float *samples = NULL;
  size_t n = 0;
  SN_TRY(sn_aligner_set_speaker(a, means, u, err));
  sn_aligner_set_transform(
      a, sn_spk_transforms_find(transforms, sn_utt_speaker(u)));
  SN_TRY(sn_audio_open(u->path, &opts, log, &audio, err));
  sn_status s = sn_audio_read_all(audio, &samples, &n, err);
  if (s == SN_OK)
    s = sn_aligner_run(a, samples, n, u->text != NULL ? u->text : "", out, err);
  sn_audio_destroy(audio);
  sn_free(samples);
  return s;
}

/* ---- A pass ---- */

typedef struct speaker {
  sn_fmllr_stats stats; /* zeroed until a frame came */
  sn_fmllr_result result;
} speaker;

typedef struct run {
  const sn_align_job *job;
  const sn_adapt_opts *how;
  sn_aligner **aligners; /* [threads] */
  size_t n_aligners;
  sn_alignment *slots;   /* [utterances] each from work to emit */
  sn_fmllr_work *memory; /* of the thread that adds up */
  int32_t *of;           /* [utterances] speaker */
  speaker *speakers;
  sn_spk_transforms *out;
} run;

static sn_status work(void *user, size_t i, size_t w, sn_err *err) {
  run *const r = user;
  const sn_utt *const u = &r->job->utts[i];
  sn_err own = {SN_OK, ""};
  if (sn_log_cancelled(r->job->log))
    return sn_fail(err, SN_ECANCEL, "interrupted");
  const sn_status s = sn_align_utt(r->aligners[w], r->job->means, r->out, u,
                                   r->job->log, &r->slots[i], &own);
  if (s == SN_OK) return SN_OK;
  /* who aligns it for its own sake says why */
  r->slots[i].failure = SN_ALIGN_NO_WORDS;
  if (s == SN_EIO || s == SN_EFORMAT || s == SN_EARG) return SN_OK;
  return sn_fail(err, s, "%s: %s", u->id, own.msg);
}

static sn_status add(run *r, const sn_alignment *a, int32_t who, sn_err *err) {
  const sn_align_job *const job = r->job;
  const sn_transform *const t = r->out->list[who];
  const sn_am *const by =
      t == NULL && job->first != NULL ? job->first : job->am;
  sn_fmllr_stats *const stats = &r->speakers[who].stats;
  const sn_cmat x = sn_mat_const(a->feats);
  sn_mat y = {0};
  sn_status s = SN_OK;
  if (stats->dim == 0) SN_TRY(sn_fmllr_stats_init(stats, x.cols, err));
  if (t != NULL) {
    SN_TRY(sn_mat_alloc(x.rows, x.cols, &y, err));
    s = sn_transform_apply(t, x, y, err);
  }
  for (size_t i = 0; s == SN_OK && i < x.rows; i++)
    s = sn_am_fmllr_accumulate(job->am, by, r->memory, a->pdfs[i],
                               a->speech[i] ? 1.0 : r->how->silence_weight,
                               t != NULL ? sn_mat_row(y, i) : sn_cmat_row(x, i),
                               sn_cmat_row(x, i), stats, err);
  sn_mat_free(&y);
  return s;
}

static sn_status emit(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  run *const r = user;
  sn_alignment *const a = &r->slots[i];
  sn_status s = SN_OK;
  if (a->failure == SN_ALIGN_DONE && a->n_frames > 0)
    s = add(r, a, r->of[i], err);
  sn_alignment_clear(a);
  if (r->job->n > 1)
    sn_log_progress(r->job->log, "adapting to speakers", "utterances",
                    (int64_t)i + 1, (int64_t)r->job->n, i + 1 == r->job->n);
  return s;
}

/* ---- Transforms ---- */

static sn_status estimate(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  run *const r = user;
  speaker *const p = &r->speakers[i];
  sn_mat m = {0};
  sn_transform *t = NULL;
  const sn_fmllr_result none = {.why = "no frames"};
  p->result = none;
  if (p->stats.dim > 0) {
    SN_TRY(sn_mat_alloc(p->stats.dim, p->stats.dim + 1, &m, err));
    sn_status s =
        sn_fmllr_estimate(&p->stats, &r->how->fmllr, m, &p->result, err);
    if (s == SN_OK && p->result.estimated)
      s = sn_transform_create(sn_mat_const(m), &t, err);
    sn_mat_free(&m);
    SN_TRY(s);
  }
  sn_transform_destroy(r->out->list[i]);
  r->out->list[i] = t;
  sn_fmllr_stats_clear(&p->stats);
  return SN_OK;
}

/* Names of the speakers that stay as they are: as many as a line takes. */
static sn_status tell(const run *r, sn_err *err) {
  const size_t n = (size_t)sn_symtab_n(r->out->names);
  sn_str names = {0};
  size_t n_short = 0;
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < n; i++) {
    const sn_fmllr_result *const f = &r->speakers[i].result;
    const char *const name = sn_symtab_get(r->out->names, (int32_t)i);
    if (f->estimated)
      sn_debug(r->job->log,
               "speaker %s: adapted to %.0f frames, %.2f nat a frame", name,
               f->count, f->gain);
    else if (++n_short <= 10)
      s = sn_str_addf(&names, err, "%s%s (%.0f)", n_short > 1 ? ", " : "", name,
                      f->count);
  }
  if (s == SN_OK && n_short > 0)
    sn_warn(r->job->log,
            "%zu of %zu speakers are not adapted to, having fewer than the "
            "%.0f frames of speech that it takes: %s%s",
            n_short, n, r->how->fmllr.min_count, sn_str_get(&names),
            n_short > 10 ? ", ..." : "");
  sn_str_clear(&names);
  return s;
}

/* ---- All ---- */

static sn_status list_speakers(run *r, sn_err *err) {
  const sn_align_job *const job = r->job;
  r->of = sn_calloc(job->n, sizeof *r->of);
  r->out = sn_calloc(1, sizeof *r->out);
  if (r->of == NULL || r->out == NULL) return sn_fail_nomem(err, "speakers");
  SN_TRY(sn_symtab_create(&r->out->names, err));
  for (size_t i = 0; i < job->n; i++) {
    const char *const name = sn_utt_speaker(&job->utts[i]);
    SN_TRY(sn_symtab_add(r->out->names, name, strlen(name), &r->of[i], err));
  }
  const size_t n = (size_t)sn_symtab_n(r->out->names);
  r->speakers = sn_calloc(n, sizeof *r->speakers);
  r->out->list = sn_calloc(n, sizeof *r->out->list);
  if (r->speakers == NULL || r->out->list == NULL)
    return sn_fail_nomem(err, "speakers");
  return SN_OK;
}

static sn_status prepare(run *r, sn_err *err) {
  const sn_align_job *const job = r->job;
  sn_align_opts o;
  sn_opt_defaults(sn_align_opt_table, &o);
  if (job->opts != NULL) o = *job->opts;
  o.keep_frames = true;
  SN_TRY(list_speakers(r, err));
  SN_TRY(sn_fmllr_work_create(job->am, &r->memory, err));
  const size_t n = sn_pool_n_threads(job->pool);
  r->aligners = sn_calloc(n, sizeof(sn_aligner *));
  r->slots = sn_calloc(job->n, sizeof *r->slots);
  if (r->aligners == NULL || r->slots == NULL)
    return sn_fail_nomem(err, "alignment");
  for (; r->n_aligners < n; r->n_aligners++) {
    sn_aligner **const a = &r->aligners[r->n_aligners];
    SN_TRY(sn_aligner_create(job->am, job->lex, job->temp, &o, a, err));
    sn_aligner_set_first(*a, job->first);
  }
  return SN_OK;
}

static sn_status passes(run *r, int32_t n, sn_err *err) {
  const sn_align_job *const job = r->job;
  SN_TRY(prepare(r, err));
  for (int32_t i = 0; i < n; i++) {
    SN_TRY(sn_pool_ordered(job->pool, job->n, 0, work, emit, r, err));
    SN_TRY(sn_pool_for(job->pool, (size_t)sn_symtab_n(r->out->names), estimate,
                       r, err));
  }
  return tell(r, err);
}

sn_status sn_align_adapt(const sn_align_job *job, const sn_adapt_opts *how,
                         int32_t n_passes, sn_spk_transforms **out,
                         sn_err *err) {
  run r = {.job = job, .how = how};
  *out = NULL;
  const sn_status s = passes(&r, n_passes, err);
  for (size_t i = 0; i < r.n_aligners; i++) sn_aligner_destroy(r.aligners[i]);
  for (size_t i = 0; r.slots != NULL && i < job->n; i++)
    sn_alignment_clear(&r.slots[i]);
  for (int32_t i = 0; r.speakers != NULL && i < sn_symtab_n(r.out->names); i++)
    sn_fmllr_stats_clear(&r.speakers[i].stats);
  sn_free(r.aligners);
  sn_free(r.slots);
  sn_free(r.of);
  sn_free(r.speakers);
  sn_fmllr_work_destroy(r.memory);
  if (s != SN_OK)
    sn_spk_transforms_destroy(r.out);
  else
    *out = r.out;
  return s;
}
