/* SPDX-License-Identifier: Apache-2.0 */
/* Discounts from counts of counts, and what to do where these vanish.
 *
 * n_r n-grams have count r. Modified Kneser-Ney (Chen & Goodman 1998, equation
 * 26), Y = n1 / (n1 + 2 n2):
 *   D_r = r - (r + 1) Y n_{r+1} / n_r   for r = 1, 2, 3 (3: and more)
 * One discount (Ney, Essen, Kneser 1994): D = Y.
 * Katz 1987 with Turing's estimate r* = (r + 1) n_{r+1} / n_r, so that counts
 * above k stay as they are:
 *   ratio_r = (r* / r - A) / (1 - A),  A = (k + 1) n_{k+1} / n_1
 * for the largest k <= 5 for which all ratios lie in (0, 1].
 *
 * Small or artificial data may lack an n_r, or give a discount outside [0, r].
 * Then the order takes fixed discounts, and a warning says so: 0.5, 1, 1.5 for
 * MKN (lmplz's --discount_fallback), 0.5 for the others. */
#include <math.h>

#include "lm/estimate_internal.h"

static bool modified(sn_estimate_order *o) {
  const int64_t *const n = o->counts_of_counts;
  if (n[1] == 0 || n[2] == 0 || n[3] == 0) return false;
  const double y = (double)n[1] / (double)(n[1] + 2 * n[2]);
  for (int r = 1; r <= 3; r++) {
    o->discount[r] = r - (r + 1) * y * (double)n[r + 1] / (double)n[r];
    if (!(o->discount[r] >= 0.0 && o->discount[r] <= r)) return false;
  }
  return true;
}

static bool single(sn_estimate_order *o) {
  const int64_t *const n = o->counts_of_counts;
  if (n[1] == 0 || n[2] == 0) return false;
  const double y = (double)n[1] / (double)(n[1] + 2 * n[2]);
  for (int r = 1; r <= 3; r++) o->discount[r] = y;
  return true;
}

static bool turing(sn_estimate_order *o) {
  const int64_t *const n = o->counts_of_counts;
  for (int k = SN_ESTIMATE_MAX_R; k >= 1; k--) {
    if (n[1] == 0) return false;
    const double a = (k + 1) * (double)n[k + 1] / (double)n[1];
    bool is_good = a < 1.0;
    for (int r = 1; r <= SN_ESTIMATE_MAX_R; r++) o->ratio[r] = 1.0;
    for (int r = 1; r <= k && is_good; r++) {
      if (n[r] == 0 || n[r + 1] == 0) {
        is_good = false;
        break;
      }
      const double star = (r + 1) * (double)n[r + 1] / (double)n[r];
      o->ratio[r] = (star / r - a) / (1.0 - a);
      is_good = o->ratio[r] > 0.0 && o->ratio[r] <= 1.0;
    }
    if (is_good) return true;
  }
  return false;
}

static void fall_back(sni_estimate *e, int32_t order) {
  sn_estimate_order *const o = &e->report.orders[order];
  const int64_t *const n = o->counts_of_counts;
  const bool is_modified = e->opts.method == SN_ESTIMATE_MKN;
  o->is_fallback = true;
  for (int r = 1; r <= 3; r++) o->discount[r] = is_modified ? 0.5 * r : 0.5;
  sn_warn(e->log,
          "order %d: no discounts from the counts of counts %lld, %lld, %lld, "
          "%lld (small or artificial data? sentences that occur many times?); "
          "%s is taken off instead",
          order, (long long)n[1], (long long)n[2], (long long)n[3],
          (long long)n[4], is_modified ? "0.5, 1, 1.5" : "0.5");
}

void sni_estimate_discounts(sni_estimate *e, int32_t order) {
  sn_estimate_order *const o = &e->report.orders[order];
  bool is_good = true;
  switch (e->opts.method) {
    case SN_ESTIMATE_MKN:
      is_good = modified(o);
      break;
    case SN_ESTIMATE_KN:
    case SN_ESTIMATE_ABS:
      is_good = single(o);
      break;
    case SN_ESTIMATE_KATZ:
      is_good = turing(o);
      break;
    default:
      break;
  }
  if (!is_good) fall_back(e, order);
}

sn_status sn_estimate_check(const sn_estimate_opts *opts, int32_t order,
                            sn_err *err) {
  int64_t cut_off[SN_NGRAM_MAX_ORDER + 1];
  return sni_parse_cut_offs(opts->prune != NULL ? opts->prune : "", order,
                            cut_off, err);
}

sn_status sni_parse_cut_offs(const char *text, int32_t order, int64_t *cut_off,
                             sn_err *err) {
  sn_span rest = sn_span_of(text), field;
  int64_t last = 0;
  int32_t k = 1;
  for (; text[0] != '\0' && sn_next_field_sep(&rest, ',', &field); k++) {
    int64_t n;
    if (!sn_parse_int64(sn_span_trim(field), &n) || n < 0)
      return sn_fail(err, SN_EARG,
                     "--prune=%s: expected counts with commas between them, "
                     "such as 0,0,1",
                     text);
    if (k > order)
      return sn_fail(err, SN_EARG, "--prune=%s: more numbers than orders (%d)",
                     text, order);
    if (n < last || (k == 1 && n > 0))
      return sn_fail(err, SN_EARG, "--prune=%s: %s", text,
                     k == 1 ? "the first number must be 0: words all stay "
                              "(--vocab leaves out words)"
                            : "a higher order may not have a lower number");
    cut_off[k] = last = n;
  }
  for (; k <= order; k++) cut_off[k] = last;
  return SN_OK;
}
