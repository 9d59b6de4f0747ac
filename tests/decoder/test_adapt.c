/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of fMLLR and of MLLR from lattices, against the sum over all of
 * their paths, frame by frame. */
#include "decoder/adapt.h"
#include "tests/am/am_support.h"
#include "tests/decoder/lat_random.h"

enum { N_LABELS = 3, MAX_FRAMES = 64, DIM = 39 };

/* Labels 0 and 2 share a pdf; 1 is silence. */
static const sn_graph_label labels[N_LABELS] = {
    {.pdf = 4}, {.pdf = 9, .is_filler = 1}, {.pdf = 4}};
static const sn_graph graph = {.labels = labels, .n_labels = N_LABELS};

typedef struct world {
  sn_am *am;
  sn_fmllr_work *work;
  float x[MAX_FRAMES][DIM];
} world;

static int set_up(void **state) {
  static world w;
  sn_err err = {0};
  sn_rng r;
  const toy t = {.kind = SN_AM_PTM, .n_streams = 3, .n_gauss = 4};
  w.am = toy_load(&t);
  OK(sn_fmllr_work_create(w.am, &w.work, &err));
  sn_rng_init(&r, 11);
  for (size_t i = 0; i < MAX_FRAMES; i++)
    for (size_t d = 0; d < DIM; d++) w.x[i][d] = (float)sn_rng_gauss(&r);
  *state = &w;
  return 0;
}

static int tear_down(void **state) {
  world *const w = *state;
  sn_fmllr_work_destroy(w->work);
  sn_am_destroy(w->am);
  return 0;
}

static sn_adapt_source source_of(const world *w) {
  const sn_adapt_source s = {.graph = &graph,
                             .am = w->am,
                             .first = w->am,
                             .scales = {1.0, 0.25, 0.0},
                             .silence_weight = 0.5};
  return s;
}

static sn_cmat frames_of(const world *w, int32_t n) {
  const sn_cmat m = {w->x[0], (size_t)n, DIM, DIM};
  return m;
}

/* ---- The sum over paths: weight of each label at each frame ---- */
typedef struct sums {
  double at[MAX_FRAMES][N_LABELS], total;
} sums;

typedef struct way {
  int32_t ali[MAX_FRAMES];
  int n;
  double cost;
} way;

static void add_way(way p, const int32_t *ali, uint32_t n, double cost,
                    way *out) {
  assert_true(p.n + (int)n <= MAX_FRAMES);
  for (uint32_t i = 0; i < n; i++) p.ali[p.n++] = ali[i];
  p.cost += cost;
  *out = p;
}

static void walk(const sn_lat *l, int32_t s, way so_far, sums *to) {
  const sn_lat_state *const x = &l->states[s];
  way p;
  if (isfinite(x->final_graph)) {
    add_way(so_far, l->ali + x->first_ali, x->n_ali,
            (double)x->final_graph + 0.25 * (double)x->final_acoustic, &p);
    const double weight = exp(-p.cost);
    for (int t = 0; t < p.n; t++) to->at[t][p.ali[t]] += weight;
    to->total += weight;
  }
  for (uint32_t i = x->first_arc; i < x[1].first_arc; i++) {
    const sn_lat_arc *const a = &l->arcs[i];
    add_way(so_far, l->ali + a->first_ali, a->n_ali,
            (double)a->graph + 0.25 * (double)a->acoustic, &p);
    walk(l, a->next, p, to);
  }
}

/* One pdf after the other with the plain accumulator. */
static void plain(const world *w, const sn_lat *l, int32_t n_frames,
                  sn_fmllr_stats *out) {
  static sums s;
  sn_err err = {0};
  const way none = {.n = 0};
  memset(&s, 0, sizeof s);
  walk(l, 0, none, &s);
  for (int32_t t = 0; t < n_frames; t++) {
    const double speech = (s.at[t][0] + s.at[t][2]) / s.total;
    const double silence = 0.5 * s.at[t][1] / s.total;
    if (speech >= 1e-3)
      OK(sn_am_fmllr_accumulate(w->am, w->am, w->work, 4, speech, w->x[t],
                                w->x[t], out, &err));
    if (silence >= 1e-3)
      OK(sn_am_fmllr_accumulate(w->am, w->am, w->work, 9, silence, w->x[t],
                                w->x[t], out, &err));
  }
}

/* Posteriors are sums of a few hundred positive doubles on both sides; terms of
 * G and k have both signs, and cancel by a factor of 1e3 at most here. */
static void expect_near(const double *a, const double *b, size_t n) {
  double largest = 1.0;
  for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(b[i]));
  for (size_t i = 0; i < n; i++)
    if (!(fabs(a[i] - b[i]) <= 1e-10 * largest))
      fail_msg("%zu: %.17g, expected %.17g", i, a[i], b[i]);
}

static void expect_same(const sn_fmllr_stats *a, const sn_fmllr_stats *b) {
  expect_near(&a->beta, &b->beta, 1);
  expect_near(a->G, b->G, sn_fmllr_n_G(DIM));
  expect_near(a->k, b->k, sn_fmllr_n_k(DIM));
}

static void test_statistics_are_the_sum_over_paths(void **state) {
  world *const w = *state;
  const random_opts o = {8, 5, false};
  sn_rng r;
  sn_err err = {0};
  sn_rng_init(&r, 3);
  int n_final_frames = 0;
  for (int i = 0; i < 100; i++) {
    sn_lat l = random_lattice(&r, &o);
    int32_t *const at = sn_calloc((size_t)l.n_states + 1, sizeof *at);
    int32_t n = 0;
    OK(sn_lat_times(&l, at, &n, &err));
    sn_free(at);
    for (int32_t s = 0; s < l.n_states; s++)
      n_final_frames += l.states[s].n_ali > 0;
    sn_fmllr_stats got, want, doubled;
    OK(sn_fmllr_stats_init(&got, DIM, &err));
    OK(sn_fmllr_stats_init(&want, DIM, &err));
    OK(sn_fmllr_stats_init(&doubled, DIM, &err));
    sn_adapt_source src = source_of(w);
    OK(sn_adapt_accumulate(&l, &src, w->work, frames_of(w, n), frames_of(w, n),
                           &got, &err));
    plain(w, &l, n, &want);
    expect_same(&got, &want);
    /* Entries and loops of a label are one. */
    for (uint32_t k = 0; k < l.n_ali; k++)
      l.ali[k] = 2 * l.ali[k] + (int32_t)(k & 1);
    src.ali_tells_loops = true;
    OK(sn_adapt_accumulate(&l, &src, w->work, frames_of(w, n), frames_of(w, n),
                           &doubled, &err));
    assert_memory_equal(doubled.G, got.G, sn_fmllr_n_G(DIM) * sizeof *got.G);
    assert_memory_equal(doubled.k, got.k, sn_fmllr_n_k(DIM) * sizeof *got.k);
    sn_fmllr_stats_clear(&got);
    sn_fmllr_stats_clear(&want);
    sn_fmllr_stats_clear(&doubled);
    sn_lat_clear(&l);
  }
  assert_true(n_final_frames > 10);
}

static void plain_means(const world *w, const sn_lat *l, int32_t n_frames,
                        sn_map_stats *out) {
  static sums s;
  const way none = {.n = 0};
  memset(&s, 0, sizeof s);
  walk(l, 0, none, &s);
  for (int32_t t = 0; t < n_frames; t++) {
    const double speech = (s.at[t][0] + s.at[t][2]) / s.total;
    const double silence = 0.5 * s.at[t][1] / s.total;
    if (speech >= 1e-3)
      sn_map_stats_part(out, w->am, w->am, w->work, 4, speech, w->x[t]);
    if (silence >= 1e-3)
      sn_map_stats_part(out, w->am, w->am, w->work, 9, silence, w->x[t]);
  }
}

static void test_sums_by_gaussian_are_the_sum_over_paths(void **state) {
  world *const w = *state;
  const random_opts o = {8, 5, false};
  sn_rng r;
  sn_err err = {0};
  sn_rng_init(&r, 7);
  for (int i = 0; i < 30; i++) {
    sn_lat l = random_lattice(&r, &o);
    int32_t *const at = sn_calloc((size_t)l.n_states + 1, sizeof *at);
    int32_t n = 0;
    OK(sn_lat_times(&l, at, &n, &err));
    sn_free(at);
    sn_map_stats got, want;
    OK(sn_map_stats_init_means(&got, w->am, &err));
    OK(sn_map_stats_init_means(&want, w->am, &err));
    const sn_adapt_source src = source_of(w);
    OK(sn_adapt_accumulate_means(&l, &src, w->work, frames_of(w, n), &got,
                                 &err));
    plain_means(w, &l, n, &want);
    expect_near(&got.n_frames, &want.n_frames, 1);
    expect_near(got.count, want.count, want.n_gauss);
    expect_near(got.x, want.x, want.n_values);
    sn_map_stats_clear(&got);
    sn_map_stats_clear(&want);
    sn_lat_clear(&l);
  }
}

static void test_what_does_not_belong_together_is_refused(void **state) {
  world *const w = *state;
  const random_opts o = {8, 5, false};
  sn_rng r;
  sn_err err = {0};
  sn_fmllr_stats s;
  sn_rng_init(&r, 5);
  sn_lat l = random_lattice(&r, &o);
  while (l.n_ali < 4) {
    sn_lat_clear(&l);
    l = random_lattice(&r, &o);
  }
  OK(sn_fmllr_stats_init(&s, DIM, &err));
  const sn_adapt_source src = source_of(w);
  assert_int_equal(sn_adapt_accumulate(&l, &src, w->work, frames_of(w, 1),
                                       frames_of(w, 1), &s, &err),
                   SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "frames"));
  memset(&err, 0, sizeof err);
  l.ali[1] = N_LABELS;
  assert_int_equal(sn_adapt_accumulate(&l, &src, w->work, frames_of(w, 60),
                                       frames_of(w, 60), &s, &err),
                   SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "labels"));
  l.ali[1] = -1;
  assert_int_equal(sn_adapt_accumulate(&l, &src, w->work, frames_of(w, 60),
                                       frames_of(w, 60), &s, NULL),
                   SN_EMISMATCH);
  assert_true(s.beta == 0.0);
  const sn_lat empty = {0};
  memset(&err, 0, sizeof err);
  OK(sn_adapt_accumulate(&empty, &src, w->work, frames_of(w, 5),
                         frames_of(w, 5), &s, &err));
  assert_true(s.beta == 0.0);
  sn_fmllr_stats_clear(&s);
  sn_lat_clear(&l);
}

static void test_allocation_failures_leave_nothing(void **state) {
  world *const w = *state;
  const random_opts o = {8, 5, false};
  sn_rng r;
  sn_err err = {0};
  sn_fmllr_stats s;
  sn_rng_init(&r, 5);
  sn_lat l = random_lattice(&r, &o);
  OK(sn_fmllr_stats_init(&s, DIM, &err));
  const sn_adapt_source src = source_of(w);
  const long before = sn_mem_live();
  long n_failed = 0;
  for (bool fired = true; fired; n_failed += fired) {
    sn_mem_fail_after(n_failed);
    const sn_status st = sn_adapt_accumulate(
        &l, &src, w->work, frames_of(w, 60), frames_of(w, 60), &s, NULL);
    fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(st, fired ? SN_ENOMEM : SN_OK);
    assert_int_equal(sn_mem_live(), before);
    if (fired) assert_true(s.beta == 0.0);
  }
  assert_true(n_failed >= 5);
  sn_fmllr_stats_clear(&s);
  sn_lat_clear(&l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_statistics_are_the_sum_over_paths),
      cmocka_unit_test(test_sums_by_gaussian_are_the_sum_over_paths),
      cmocka_unit_test(test_what_does_not_belong_together_is_refused),
      cmocka_unit_test(test_allocation_failures_leave_nothing),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
