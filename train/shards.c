/* SPDX-License-Identifier: Apache-2.0 */
/* Accumulate, sum, update: a pass whose parts may be made anywhere. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "train/shards.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/checkpoint_internal.h"
#include "train/opt_rows_internal.h"

#define AT(field) offsetof(sn_accumulate_opts, field)
const sn_opt sn_accumulate_opt_table[] = {
    {"shard", SN_OPT_STRING, AT(shard), 0, 0, 0, "1/1", "i/n",
     "part i of n of the corpus"},
    SNI_ROW_JOBS,
    SNI_ROW_BEAM,
    SNI_ROW_SILENCE,
    SNI_ROW_STATISTICS,
    SNI_ROW_SILENCE_PHONE,
    SN_OPT_END};
#undef AT
#define AT(field) offsetof(sn_update_opts, field)
const sn_opt sn_update_opt_table[] = {
    {"gaussians", SN_OPT_INT, AT(gaussians), 0, 0, 10000000, NULL, NULL,
     "in all, grown by splitting; 0: none are split"},
    SNI_ROW_POWER,
    SNI_ROW_MIN_OCC,
    SNI_ROW_VAR_FLOOR,
    SNI_ROW_VAR_PRIOR,
    {"seed", SN_OPT_INT, AT(seed), 1, 0, 2147483647, NULL, NULL,
     "of the directions in which Gaussians are split"},
    SN_OPT_END};
#undef AT

/* ---- The model ---- */

static uint32_t model_crc(const sn_am *am, const sn_mixtures *m) {
  const size_t G = sn_mixtures_n_gauss(m), D = m->dim;
  const uint32_t topology = sn_am_topology_crc(am);
  uint32_t crc = sn_crc32(0, &topology, sizeof topology);
  crc = sn_crc32(crc, m->first, (m->n_pdfs + 1) * sizeof *m->first);
  crc = sn_crc32(crc, m->weights, G * sizeof *m->weights);
  crc = sn_crc32(crc, m->means, G * D * sizeof *m->means);
  return sn_crc32(crc, m->vars, G * D * sizeof *m->vars);
}

static sn_status load_model(sni_trainer *t, const char *dir, uint32_t *crc,
                            sn_am **am, sn_err *err) {
  SN_TRY(sni_check_plain(dir, err));
  SN_TRY(sn_am_load(dir, t->log, am, err));
  SN_TRY(sn_am_mixtures(*am, &t->mix, err));
  SN_TRY(sni_tied_load(*am, &t->tied, err));
  *crc = model_crc(*am, &t->mix);
  return SN_OK;
}

/* ---- Accumulate ---- */

static sn_status parse_shard(const char *text, int64_t *i, int64_t *n,
                             sn_err *err) {
  const char *const slash = strchr(text, '/');
  if (slash != NULL &&
      sn_parse_int64((sn_span){text, (size_t)(slash - text)}, i) &&
      sn_parse_int64(sn_span_of(slash + 1), n) && *i >= 1 && *i <= *n)
    return SN_OK;
  return sn_fail(err, SN_EARG, "'%s' is no part: 2/3 is the second of three",
                 text);
}

static void inform(const sni_stats_file *f, sn_sums_info *info) {
  double logp = 0, weight = 0;
  memset(info, 0, sizeof *info);
  info->n_utts = f->n_utts;
  info->n_shards = f->sums.n_shards;
  for (size_t i = 0; i < f->sums.nodes.n; i++) {
    const sni_node *const n = &f->sums.nodes.data[i];
    const int64_t begin = n->index << n->level;
    const int64_t end = (n->index + 1) << n->level;
    info->n_there += (end < f->sums.n_shards ? end : f->sums.n_shards) - begin;
    info->n_aligned_frames += n->part.n_frames;
    info->n_failed += n->part.n_failed;
    logp += n->part.mix.logp;
    weight += n->part.mix.n_frames;
  }
  info->logp_per_frame = weight > 0 ? logp / weight : (double)NAN;
}

typedef struct part {
  int64_t i, n;
  size_t first, end; /* shards */
} part;

static sn_status accumulate(sni_trainer *t, const part *p, uint32_t crc,
                            const char *out, sn_sums_info *info, sn_err *err) {
  const sni_corpus *const c = t->corpus;
  sni_stats_file f = {.model_crc = crc,
                      .corpus_crc = sni_corpus_crc(c, false),
                      .n_utts = (int64_t)c->n};
  SN_TRY(sni_tables(t, err));
  sn_status s = sni_accumulate_shards(t, p->first, p->end, &f.sums, err);
  for (size_t i = p->first * SNI_SHARD;
       s == SN_OK && i < c->n && i < p->end * SNI_SHARD; i++)
    if (c->utts[i].failed)
      sn_warn(t->log, "%s could not be aligned with its words", c->utts[i].id);
  if (s == SN_OK) s = sni_stats_write(&f, out, err);
  if (s == SN_OK) inform(&f, info);
  sni_stats_clear(&f);
  return s;
}

static sn_status find_part(const sni_corpus *c, const char *data, part *p,
                           sn_err *err) {
  const int64_t all = (int64_t)((c->n + SNI_SHARD - 1) / SNI_SHARD);
  if (p->n > all)
    return sn_fail(err, SN_EARG,
                   "%zu utterances of '%s' are %lld shards of 32: they can not "
                   "be cut into %lld parts",
                   c->n, data, (long long)all, (long long)p->n);
  p->first = (size_t)(all * (p->i - 1) / p->n);
  p->end = (size_t)(all * p->i / p->n);
  return SN_OK;
}

/* Recordings at the rate that the model's features want. */
static double rate_of(const sn_am *am) {
  double hz = 0;
  (void)sn_parse_double(
      sn_span_of(sn_feat_config_get(sn_am_feat(am), "sample-frequency")), &hz);
  return hz;
}

static sn_status run(sni_trainer *t, part *p, const char *const in[4],
                     sn_sums_info *info, sn_err *err) {
  uint32_t crc = 0;
  sn_am *am = NULL;
  sn_status s = load_model(t, in[0], &crc, &am, err);
  if (s == SN_OK)
    s = sni_corpus_load_words(in[1], in[2], t->o, t->log, t->corpus, err);
  if (s == SN_OK) s = find_part(t->corpus, in[1], p, err);
  if (s == SN_OK)
    s = sni_corpus_only(t->corpus, p->first * SNI_SHARD, p->end * SNI_SHARD,
                        err);
  if (s == SN_OK)
    s = sni_corpus_feats(t->corpus, rate_of(am), t->pool, t->log, err);
  if (s == SN_OK) s = sni_same_phones(t->corpus, am, in[0], err);
  if (s == SN_OK) s = sni_corpus_like(t->corpus, sn_am_feat(am), t->pool, err);
  sn_am_destroy(am);
  return s == SN_OK ? accumulate(t, p, crc, in[3], info, err) : s;
}

sn_status sn_train_accumulate(const char *model, const char *data,
                              const char *lexicon, const char *out,
                              const sn_accumulate_opts *opts, sn_log *log,
                              sn_sums_info *info, sn_err *err) {
  const char *const in[4] = {model, data, lexicon, out};
  sn_train_opts o;
  sni_corpus c = {0};
  part p = {0};
  sn_opt_defaults(sn_train_opt_table, &o);
  o.beam = opts->beam;
  o.silence = opts->silence;
  o.statistics = opts->statistics;
  o.silence_phone = opts->silence_phone;
  sni_trainer t = {.o = &o, .corpus = &c, .log = log, .stage = "accumulate"};
  SN_TRY(parse_shard(opts->shard, &p.i, &p.n, err));
  sn_status s = sn_pool_create((size_t)opts->jobs, &t.pool, err);
  if (s == SN_OK) s = run(&t, &p, in, info, err);
  sni_trainer_clear(&t);
  sni_corpus_clear(&c);
  return s;
}

/* ---- Sum ---- */

sn_status sn_train_sum(const char *out, const char *const *paths, size_t n,
                       sn_sums_info *info, sn_err *err) {
  sni_stats_file all = {0};
  sn_status s = n == 0 ? sn_fail(err, SN_EARG, "no statistics")
                       : sni_stats_load(paths[0], &all, err);
  for (size_t i = 1; s == SN_OK && i < n; i++) {
    sni_stats_file one = {0};
    s = sni_stats_load(paths[i], &one, err);
    if (s == SN_OK) s = sni_stats_merge(&all, paths[0], &one, paths[i], err);
    sni_stats_clear(&one);
  }
  if (s == SN_OK) s = sni_stats_write(&all, out, err);
  if (s == SN_OK) inform(&all, info);
  sni_stats_clear(&all);
  return s;
}

/* ---- Update ---- */

static sn_status write_updated(const sni_trainer *t, const sn_am *am,
                               const char *dir, sn_err *err) {
  const int32_t P = t->tied.n_phones;
  const sn_am_scales scales = sn_am_default_scales(am);
  sn_mat m = {0};
  const char **const names = sn_calloc((size_t)P, sizeof *names);
  uint8_t *const filler = sn_calloc((size_t)P, 1);
  sn_status s =
      names == NULL || filler == NULL ? sn_fail_nomem(err, "model") : SN_OK;
  for (int32_t p = 0; s == SN_OK && p < P; p++) names[p] = sn_am_phone(am, p);
  if (s == SN_OK) filler[0] = 1;
  if (s == SN_OK) s = sni_feat_matrix(sn_am_feat(am), &m, err);
  sn_am_parts parts = sni_tied_parts(&t->tied);
  parts.name = sn_path_base(dir);
  parts.phones = names;
  parts.is_filler = filler;
  parts.mix = &t->mix;
  parts.feat = sn_am_feat(am);
  parts.transform = sn_mat_const(m);
  parts.silence_prob = exp((double)sn_am_filler_at(am, 0).logp);
  parts.lm_scale = scales.lm_scale;
  parts.word_penalty = scales.word_penalty;
  if (s == SN_OK) s = sn_dir_make(dir, err);
  if (s == SN_OK) s = sn_am_write_parts(&parts, dir, err);
  sn_free(names);
  sn_free(filler);
  sn_mat_free(&m);
  return s;
}

static sn_status apply(sni_trainer *t, sni_stats_file *f, const char *sums,
                       const sn_update_opts *o, sn_err *err) {
  const sn_mix_update_opts u = {o->min_occ, o->var_floor, 1e-5, o->var_prior};
  sn_mix_update_report r;
  int64_t missing = 0;
  const sni_part *const p = sni_sums_root(&f->sums, &missing);
  if (p == NULL)
    return sn_fail(err, SN_EMISMATCH,
                   "'%s' is of a part of the corpus: utterances from number "
                   "%lld on are missing (senone train sum adds files)",
                   sums, (long long)missing * SNI_SHARD + 1);
  if (p->mix.n_gauss != sn_mixtures_n_gauss(&t->mix) ||
      p->mix.dim != t->mix.dim ||
      p->n_rows != (size_t)t->tied.n_phones * SNI_STATES)
    return sn_fail(err, SN_EFORMAT, "'%s': sizes are not those of the model",
                   sums);
  if (p->mix.n_frames < 1)
    return sn_fail(err, SN_EMISMATCH, "'%s': not one frame was aligned", sums);
  t->occ = sn_calloc(t->mix.n_pdfs, sizeof *t->occ);
  if (t->occ == NULL) return sn_fail_nomem(err, "model");
  SN_TRY(sn_mix_update(&t->mix, &p->mix, &u, t->occ, &r, err));
  sni_update_tmats(t, p);
  if ((size_t)o->gaussians > sn_mixtures_n_gauss(&t->mix))
    SN_TRY(sn_mix_split(&t->mix, t->occ, (size_t)o->gaussians, o->power, 20.0,
                        (uint64_t)o->seed, err));
  sn_info(t->log,
          "%zu Gaussians, %lld removed, %lld variances floored, %lld pdfs "
          "unseen",
          sn_mixtures_n_gauss(&t->mix), (long long)r.n_removed,
          (long long)r.n_floored, (long long)r.n_unseen);
  return SN_OK;
}

static sn_status other_folder(const char *a, const char *b, sn_err *err) {
  char x[PATH_MAX], y[PATH_MAX];
  if (realpath(a, x) == NULL || realpath(b, y) == NULL || strcmp(x, y) != 0)
    return SN_OK;
  return sn_fail(err, SN_EARG, "'%s' is the model itself; name another folder",
                 b);
}

sn_status sn_train_update(const char *model, const char *sums, const char *out,
                          const sn_update_opts *opts, sn_log *log,
                          sn_sums_info *info, sn_err *err) {
  sni_trainer t = {.log = log};
  sni_stats_file f = {0};
  sn_am *am = NULL;
  uint32_t crc = 0;
  sn_status s = other_folder(model, out, err);
  if (s == SN_OK) s = load_model(&t, model, &crc, &am, err);
  if (s == SN_OK) s = sni_stats_load(sums, &f, err);
  if (s == SN_OK && f.model_crc != crc)
    s = sn_fail(err, SN_EMISMATCH,
                "'%s' are statistics of another model (%08x), not of '%s' "
                "(%08x)",
                sums, f.model_crc, model, crc);
  if (s == SN_OK) s = apply(&t, &f, sums, opts, err);
  if (s == SN_OK) s = write_updated(&t, am, out, err);
  if (s == SN_OK) inform(&f, info);
  sni_stats_clear(&f);
  sn_am_destroy(am);
  sni_trainer_clear(&t);
  return s;
}
