/* SPDX-License-Identifier: Apache-2.0 */
/* MAP adaptation: its formulas in plain loops over frames, its limits, and the
 * model that is written. */
#include "am/map.h"
#include "tests/am/am_support.h"

static const toy toys[] = {{SN_AM_PTM, 3, 8, false, false, false},
                           {SN_AM_SEMI, 3, 3, false, false, false},
                           {SN_AM_CONTINUOUS, 1, 4, false, true, false}};
enum { N_TOYS = sizeof toys / sizeof toys[0], T = 60 };

typedef struct data {
  sn_am *am;
  sn_mat x;
  int32_t pdfs[T];
  sn_fmllr_work *work;
  sn_map_stats stats;
} data;

/* Frames near one Gaussian of some pdfs, moved. */
static void make(data *d, const toy *t, uint64_t seed) {
  sn_rng r;
  sn_err err = {0};
  sn_rng_init(&r, seed);
  d->am = toy_load(t);
  OK(sn_mat_alloc(T, 39, &d->x, &err));
  OK(sn_fmllr_work_create(d->am, &d->work, &err));
  OK(sn_map_stats_init(&d->stats, d->am, &err));
  for (size_t i = 0; i < T; i++) {
    d->pdfs[i] = (int32_t)sn_rng_below(&r, TOY_PDFS / 2);
    for (size_t k = 0; k < 39; k++)
      sn_mat_row(d->x, i)[k] = (float)sn_rng_gauss(&r) + 0.3f;
    sn_map_stats_frame(&d->stats, d->am, d->work, d->pdfs[i],
                       sn_mat_row(d->x, i));
  }
}

static void clear(data *d) {
  sn_map_stats_clear(&d->stats);
  sn_fmllr_work_destroy(d->work);
  sn_mat_free(&d->x);
  sn_am_destroy(d->am);
}

static sn_box *written(const data *d, const sn_map_opts *o, sni_am_view *v,
                       sn_map_report *report) {
  char dir[64], path[128];
  sn_err err = {0};
  sn_box *box = NULL;
  make_dir(dir, sizeof dir);
  in_dir(path, sizeof path, dir, "am.bin");
  OK(sn_map_write(d->am, &d->stats, o, path, report, &err));
  OK(sn_box_open(path, SNI_AM_MAGIC, SNI_AM_VERSION, &box, &err));
  OK(sni_am_read(box, path, v, &err));
  remove_dir(dir);
  return box;
}

/* Frames, first and second moment of one value of one Gaussian. */
static void moments(const data *d, int32_t codebook, int32_t stream, int32_t g,
                    int32_t dim, double *m) {
  const sni_am_view *const v = sni_am_view_of(d->am);
  m[0] = m[1] = m[2] = 0;
  for (size_t t = 0; t < T; t++) {
    if (v->pdf_codebook[d->pdfs[t]] != codebook) continue;
    const sn_am_gauss *post;
    const float *const x = sn_mat_row(d->x, t);
    const size_t n = sn_am_posteriors(d->am, d->work, x, d->pdfs[t], &post);
    for (size_t i = 0; i < n; i++) {
      if (post[i].stream != stream || post[i].index != g) continue;
      const double p = (double)post[i].posterior, y = (double)x[dim];
      m[0] += p;
      m[1] += p * y;
      m[2] += p * y * y;
    }
  }
}

static void test_update_is_the_formula(void **state) {
  (void)state;
  for (size_t i = 0; i < N_TOYS; i++) {
    data d;
    make(&d, &toys[i], 5 + i);
    sn_map_opts o;
    sn_map_report report;
    sni_am_view v;
    sn_opt_defaults(sn_map_opt_table, &o);
    o.tau = 3;
    o.variances = true;
    o.var_floor = 1e-6;
    sn_box *const box = written(&d, &o, &v, &report);
    const sni_am_view *const old = sni_am_view_of(d.am);
    size_t at = 0, moved = 0;
    for (int32_t c = 0; c < old->shape.n_codebooks; c++)
      for (int32_t k = 0; k < old->shape.n_streams; k++)
        for (int32_t g = 0; g < old->shape.n_gauss; g++) {
          int32_t n = 0;
          const int32_t *const dims = sn_am_stream_dims(d.am, k, &n);
          for (int32_t j = 0; j < n; j++, at++) {
            double m[3];
            moments(&d, c, k, g, dims[j], m);
            const double m0 = (double)old->means[at],
                         v0 = (double)old->vars[at];
            if (!(m[0] > 0)) { /* as it was, to the bit */
              assert_true(v.means[at] == old->means[at]);
              assert_true(v.vars[at] == old->vars[at]);
              continue;
            }
            moved += j == 0 && m[0] >= 1;
            const double mean = (3 * m0 + m[1]) / (3 + m[0]);
            const double var =
                (3 * (v0 + m0 * m0) + m[2]) / (3 + m[0]) - mean * mean;
            /* one rounding to float of values below 100 */
            assert_true(fabs((double)v.means[at] - mean) < 1e-5);
            assert_true(fabs((double)v.vars[at] - var) < 1e-5 * (1 + var));
          }
        }
    assert_true(moved > 0);
    assert_int_equal(report.n_moved, moved);
    sn_box_destroy(box);
    clear(&d);
  }
}

static void test_a_strong_prior_changes_nothing(void **state) {
  (void)state;
  data d;
  make(&d, &toys[0], 9);
  sn_map_opts o;
  sn_map_report report;
  sni_am_view v;
  sn_opt_defaults(sn_map_opt_table, &o);
  o.tau = 1e9;
  sn_box *const box = written(&d, &o, &v, &report);
  const sni_am_view *const old = sni_am_view_of(d.am);
  for (size_t i = 0; i < d.stats.n_values; i++) {
    /* 60 frames of values below 100 against 1e9: 6e-6, and rounding */
    assert_true(fabs((double)v.means[i] - (double)old->means[i]) < 2e-5);
    assert_true(v.vars[i] == old->vars[i]); /* means alone */
  }
  assert_memory_equal(v.hmm_pdfs, old->hmm_pdfs,
                      (size_t)old->shape.n_hmms * (size_t)old->shape.n_states *
                          sizeof *v.hmm_pdfs);
  sn_box_destroy(box);
  clear(&d);
}

static void test_no_prior_is_maximum_likelihood(void **state) {
  (void)state;
  data d;
  make(&d, &toys[2], 11);
  sn_map_opts o;
  sn_map_report report;
  sni_am_view v;
  sn_opt_defaults(sn_map_opt_table, &o);
  o.tau = 0;
  o.variances = true;
  sn_box *const box = written(&d, &o, &v, &report);
  const sni_am_view *const old = sni_am_view_of(d.am);
  const size_t D = (size_t)old->stream_len[0];
  size_t n_seen = 0;
  for (size_t g = 0; g < d.stats.n_gauss; g++) {
    if (!(d.stats.count[g] > 1)) continue;
    n_seen++;
    for (size_t i = g * D; i < (g + 1) * D; i++) {
      const double ml = d.stats.x[i] / d.stats.count[g];
      assert_true(fabs((double)v.means[i] - ml) < 1e-5);
      /* the floor holds */
      assert_true((double)v.vars[i] >= 0.1 * (double)old->vars[i] * (1 - 1e-6));
    }
  }
  assert_true(n_seen > 0);
  sn_box_destroy(box);
  clear(&d);
}

static void test_allocation_failures_are_reported(void **state) {
  (void)state;
  data d;
  char dir[64], path[128];
  make(&d, &toys[0], 13);
  make_dir(dir, sizeof dir);
  in_dir(path, sizeof path, dir, "am.bin");
  sn_map_opts o;
  sn_opt_defaults(sn_map_opt_table, &o);
  for (long k = 0;; k++) {
    sn_map_report report;
    sn_map_stats stats;
    const long live = sn_mem_live();
    sn_mem_fail_after(k);
    sn_status s = sn_map_stats_init(&stats, d.am, NULL);
    if (s == SN_OK) s = sn_map_write(d.am, &stats, &o, path, &report, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    sn_map_stats_clear(&stats);
    assert_int_equal(sn_mem_live(), live);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    if (!fired) break;
  }
  remove_dir(dir);
  clear(&d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_update_is_the_formula),
      cmocka_unit_test(test_a_strong_prior_changes_nothing),
      cmocka_unit_test(test_no_prior_is_maximum_likelihood),
      cmocka_unit_test(test_allocation_failures_are_reported)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
