/* SPDX-License-Identifier: Apache-2.0 */
/* From the lattice of an utterance to statistics of fMLLR or of MLLR.
 *
 * 1. Posteriors of arcs by forward-backward.
 * 2. Arcs are cut at frames: (frame, pdf, posterior), counted and sorted by
 *    frame, in order of arcs.
 * 3. Of a frame, the same pdf on many arcs is one part; so the Gaussians of a
 *    codebook are looked at once for each, and the squares summed once a frame.
 * The order of additions follows from the lattice alone. */
#include "decoder/adapt.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/lat_paths.h"

#define LEAST_WEIGHT 1e-3

static sn_status read_option(sn_adapt_opts *a, const sn_ini *ini,
                             const char *key, const char *value, sn_err *err) {
  static const char *const ways[] = {"none", "fmllr", "mllr"};
  if (strcmp(key, "silence-weight") == 0) {
    SN_TRY(sn_ini_get_double(ini, "adapt", key, &a->silence_weight, err));
    if (!(a->silence_weight >= 0 && a->silence_weight <= 1))
      return sn_fail(err, SN_EFORMAT, "silence-weight = %s: 0 to 1", value);
    return SN_OK;
  }
  if (strcmp(key, "default") == 0) {
    for (int i = 0; i < 3; i++) {
      if (strcmp(value, ways[i]) != 0) continue;
      a->by_default = (sn_adapt_way)i;
      return SN_OK;
    }
    return sn_fail(err, SN_EFORMAT, "default = %s: none, fmllr or mllr", value);
  }
  if (strncmp(key, "mllr-", 5) == 0)
    return sn_opt_set(sn_mllr_opt_table, &a->mllr, key + 5, value, err);
  return sn_opt_set(sn_fmllr_opt_table, &a->fmllr, key, value, err);
}

sn_status sn_adapt_opts_read(const sn_ini *ini, const char *dir,
                             sn_adapt_opts *a, sn_err *err) {
  const char *value = NULL, *key;
  a->by_default = SN_ADAPT_NONE;
  sn_opt_defaults(sn_fmllr_opt_table, &a->fmllr);
  sn_opt_defaults(sn_mllr_opt_table, &a->mllr);
  a->silence_weight = 0.01;
  for (size_t i = 0; (key = sn_ini_key_at(ini, "adapt", i, &value)) != NULL;
       i++) {
    const sn_status s = read_option(a, ini, key, value, err);
    if (s != SN_OK) {
      sn_err_context(err, "%s/model.ini: [adapt]", dir);
      return s == SN_EARG ? SN_EFORMAT : s;
    }
  }
  return SN_OK;
}

typedef struct pieces {
  double *arcs;    /* [n_arcs] posteriors */
  double *finals;  /* [n_states] of ending there */
  int32_t *frames; /* [n_states] */
  size_t *first;   /* [T + 2] pieces of frame t: first[t] .. first[t + 1] */
  sn_am_part *parts;
} pieces;

static void pieces_clear(pieces *p) {
  sn_free(p->arcs);
  sn_free(p->finals);
  sn_free(p->frames);
  sn_free(p->first);
  sn_free(p->parts);
}

static int32_t label_of(const sn_adapt_source *src, int32_t ali) {
  return src->ali_tells_loops ? ali / 2 : ali;
}

static sn_status check_labels(const sn_lat *l, const sn_adapt_source *src,
                              sn_err *err) {
  for (uint32_t i = 0; i < l->n_ali; i++)
    if (l->ali[i] < 0 || label_of(src, l->ali[i]) >= src->graph->n_labels)
      return sn_fail(err, SN_EMISMATCH,
                     "adaptation: alignment %d in a lattice, the graph has %d "
                     "labels",
                     l->ali[i], src->graph->n_labels);
  return SN_OK;
}

/* Counts what begins at frame t with n frames: p->first[t + 2]. */
static void count(pieces *p, size_t t, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) p->first[t + i + 2]++;
}

static void put(pieces *p, const sn_adapt_source *src, size_t t,
                const int32_t *ali, uint32_t n, double posterior) {
  for (uint32_t i = 0; i < n; i++) {
    const sn_graph_label *const label =
        &src->graph->labels[label_of(src, ali[i])];
    const double weight = label->is_filler ? src->silence_weight : 1.0;
    p->parts[p->first[t + i + 1]++] =
        (sn_am_part){label->pdf, posterior * weight};
  }
}

/* Step 2, of arcs and of the frames that final weights may have. */
static sn_status cut(const sn_lat *l, const sn_adapt_source *src, size_t T,
                     pieces *p, sn_err *err) {
  p->first = sn_calloc(T + 2, sizeof *p->first);
  if (p->first == NULL) return sn_fail_nomem(err, "adaptation");
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const state = &l->states[s];
    const size_t t = (size_t)p->frames[s];
    for (uint32_t a = state->first_arc; a < state[1].first_arc; a++)
      count(p, t, l->arcs[a].n_ali);
    if (isfinite(state->final_graph)) count(p, t, state->n_ali);
  }
  for (size_t t = 2; t < T + 2; t++) p->first[t] += p->first[t - 1];
  p->parts = sn_calloc(p->first[T + 1], sizeof *p->parts);
  if (p->parts == NULL) return sn_fail_nomem(err, "adaptation");
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const state = &l->states[s];
    const size_t t = (size_t)p->frames[s];
    for (uint32_t a = state->first_arc; a < state[1].first_arc; a++)
      put(p, src, t, l->ali + l->arcs[a].first_ali, l->arcs[a].n_ali,
          p->arcs[a]);
    if (isfinite(state->final_graph))
      put(p, src, t, l->ali + state->first_ali, state->n_ali, p->finals[s]);
  }
  return SN_OK;
}

/* Step 3: equal pdfs become one, small parts go; how many are left. */
static size_t merge(sn_am_part *p, size_t n) {
  size_t kept = 0, large = 0;
  for (size_t i = 0; i < n; i++) {
    size_t j = 0;
    while (j < kept && p[j].pdf != p[i].pdf) j++;
    if (j < kept)
      p[j].weight += p[i].weight;
    else
      p[kept++] = p[i];
  }
  for (size_t i = 0; i < kept; i++)
    if (p[i].weight >= LEAST_WEIGHT) p[large++] = p[i];
  return large;
}

/* One of the two is NULL. */
typedef struct sums {
  sn_fmllr_stats *fmllr;
  sn_map_stats *means;
} sums;

static sn_status add_frame(const sn_adapt_source *src, sn_fmllr_work *work,
                           const sn_am_part *parts, size_t n,
                           const float *x_post, const float *x, const sums *to,
                           sn_err *err) {
  if (to->means == NULL)
    return sn_am_fmllr_accumulate_all(src->am, src->first, work, parts, n,
                                      x_post, x, to->fmllr, err);
  for (size_t i = 0; i < n; i++)
    if (parts[i].weight > 0)
      sn_map_stats_part(to->means, src->am, src->first, work, parts[i].pdf,
                        parts[i].weight, x);
  return SN_OK;
}

static sn_status add(const sn_lat *l, const sn_adapt_source *src,
                     sn_fmllr_work *work, sn_cmat x_post, sn_cmat x, pieces *p,
                     const sums *to, sn_err *err) {
  int32_t T = 0;
  double total;
  p->arcs = sn_calloc((size_t)l->n_arcs, sizeof *p->arcs);
  p->finals = sn_calloc((size_t)l->n_states, sizeof *p->finals);
  p->frames = sn_calloc((size_t)l->n_states, sizeof *p->frames);
  if (p->arcs == NULL || p->finals == NULL || p->frames == NULL)
    return sn_fail_nomem(err, "adaptation");
  SN_TRY(sn_lat_times(l, p->frames, &T, err));
  if ((size_t)T > x.rows || x_post.rows != x.rows)
    return sn_fail(err, SN_EMISMATCH,
                   "adaptation: a lattice of %d frames for %zu and %zu of "
                   "features",
                   T, x_post.rows, x.rows);
  SN_TRY(check_labels(l, src, err));
  SN_TRY(sn_lat_posteriors(l, &src->scales, p->arcs, p->finals, &total, err));
  SN_TRY(cut(l, src, (size_t)T, p, err));
  for (size_t t = 0; t < (size_t)T; t++) {
    sn_am_part *const parts = p->parts + p->first[t];
    const size_t n = merge(parts, p->first[t + 1] - p->first[t]);
    SN_TRY(add_frame(src, work, parts, n, sn_cmat_row(x_post, t),
                     sn_cmat_row(x, t), to, err));
  }
  return SN_OK;
}

sn_status sn_adapt_accumulate(const sn_lat *lat, const sn_adapt_source *source,
                              sn_fmllr_work *work, sn_cmat x_post, sn_cmat x,
                              sn_fmllr_stats *stats, sn_err *err) {
  pieces p = {0};
  const sums to = {.fmllr = stats};
  if (lat->n_states == 0) return SN_OK;
  const sn_status s = add(lat, source, work, x_post, x, &p, &to, err);
  pieces_clear(&p);
  return s;
}

sn_status sn_adapt_accumulate_means(const sn_lat *lat,
                                    const sn_adapt_source *source,
                                    sn_fmllr_work *work, sn_cmat x,
                                    sn_map_stats *stats, sn_err *err) {
  pieces p = {0};
  const sums to = {.means = stats};
  if (lat->n_states == 0) return SN_OK;
  const sn_status s = add(lat, source, work, x, x, &p, &to, err);
  pieces_clear(&p);
  return s;
}
