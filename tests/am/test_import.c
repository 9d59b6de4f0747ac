/* SPDX-License-Identifier: Apache-2.0 */
/* Import, model directories, triphone back-off, and what happens when a file
 * is missing, damaged or of another model. */
#include "am/gmm_internal.h"
#include "tests/am/am_support.h"

static const toy ptm = {SN_AM_PTM, 3, 8, false, false, false};
static const toy semi_dump = {SN_AM_SEMI, 1, 8, true, true, true};
static const toy cont = {SN_AM_CONTINUOUS, 1, 2, false, false, true};

static void need(const char *path) {
  if (have(path)) return;
  print_message(
      "[  SKIPPED ] no %s (package pocketsphinx-en-us or "
      "pocketsphinx-testdata)\n",
      path);
  skip();
}

/* ---- What comes out ---- */

static void test_small_models_come_out_as_they_went_in(void **state) {
  (void)state;
  const toy *const toys[] = {&ptm, &semi_dump, &cont};
  for (int i = 0; i < 3; i++) {
    sn_am *const am = toy_load(toys[i]);
    const sn_am_info f = sn_am_get_info(am);
    assert_int_equal(f.kind, toys[i]->kind);
    assert_int_equal(f.n_phones, 4);
    assert_int_equal(f.n_fillers, 2);
    assert_int_equal(f.n_triphones, 4);
    assert_int_equal(f.n_hmms, 7);
    assert_int_equal(f.n_pdfs, 15);
    assert_int_equal(f.n_gauss, toys[i]->n_gauss);
    assert_int_equal(f.top_n, toys[i]->n_gauss < 4 ? toys[i]->n_gauss : 4);
    assert_true(isinf(f.clip_nat) == (f.kind == SN_AM_CONTINUOUS));
    assert_int_equal(sn_am_silence(am), 3);
    assert_int_equal(sn_am_find_phone(am, "A"), 1);
    assert_int_equal(sn_am_find_phone(am, "C"), -1);
    assert_true(sn_am_is_filler(am, 0) && !sn_am_is_filler(am, 1));
    assert_int_equal(sn_am_n_fillers(am), 2);
    const sn_am_filler n = sn_am_filler_at(am, 1);
    assert_string_equal(n.word, "++N++");
    assert_int_equal(n.phone, 0);
    assert_true(fabs((double)n.logp - log(1e-8)) < 1e-5);
    assert_true(fabs(sn_am_default_scales(am).word_penalty - log(0.65)) < 1e-8);
    assert_true(sn_am_default_scales(am).lm_scale == 6.5);
    for (int32_t p = 0; p < 4; p++) {
      const sn_hmm h = sn_am_hmm(am, sn_am_monophone(am, p));
      for (int s = 0; s < 3; s++) {
        assert_int_equal(h.pdfs[s], toy_phones[p].pdf[s]);
        for (int to = 0; to < 4; to++) {
          const double want = to == s ? 0.75 : to == s + 1 ? 0.25 : 0;
          assert_true(fabs(exp((double)h.logp[4 * s + to]) - want) < 1e-6);
        }
      }
    }
    sn_am_destroy(am);
  }
}

static void test_triphones_back_off_in_the_stated_order(void **state) {
  (void)state;
  sn_am *const am = toy_load(&ptm);
  enum { NSN, A, B, SIL };
  static const struct {
    int32_t base, left, right;
    sn_wordpos pos;
    sn_am_backoff how;
    int like; /* in toy_phones */
  } cases[] = {
      {A, B, B, SN_POS_INTERNAL, SN_BACKOFF_EXACT, 4},
      {A, B, B, SN_POS_END, SN_BACKOFF_POSITION, 4},
      {A, SIL, B, SN_POS_BEGIN, SN_BACKOFF_EXACT, 5},
      {A, NSN, B, SN_POS_BEGIN, SN_BACKOFF_EXACT, 5}, /* filler: silence */
      {A, -1, B, SN_POS_BEGIN, SN_BACKOFF_EXACT, 5},  /* utterance edge */
      {A, A, B, SN_POS_BEGIN, SN_BACKOFF_EDGE, 5},
      {A, A, B, SN_POS_INTERNAL, SN_BACKOFF_BASE, A}, /* no edge inside */
      {A, -1, B, SN_POS_INTERNAL, SN_BACKOFF_POSITION, 5},
      {B, A, B, SN_POS_END, SN_BACKOFF_EDGE, 6},
      {B, A, B, SN_POS_BEGIN, SN_BACKOFF_BASE, B},
      {B, A, A, SN_POS_INTERNAL, SN_BACKOFF_POSITION, 7},
      {B, A, A, SN_POS_SINGLE, SN_BACKOFF_EXACT, 7},
      {B, B, A, SN_POS_SINGLE, SN_BACKOFF_BASE, B},
      {SIL, A, A, SN_POS_SINGLE, SN_BACKOFF_BASE, SIL}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    sn_am_backoff how = SN_N_BACKOFF;
    const int32_t hmm = sn_am_triphone(am, cases[i].base, cases[i].left,
                                       cases[i].right, cases[i].pos, &how);
    const sn_hmm h = sn_am_hmm(am, hmm);
    if (how != cases[i].how) fail_msg("case %zu: class %d", i, (int)how);
    for (int s = 0; s < 3; s++)
      assert_int_equal(h.pdfs[s], toy_phones[cases[i].like].pdf[s]);
  }
  sn_am_destroy(am);
}

static void test_both_byte_orders_and_definitions_give_the_same_file(
    void **state) {
  (void)state;
  toy t = ptm;
  char *data[3] = {NULL};
  size_t n[3] = {0};
  for (int i = 0; i < 3; i++) {
    char from[256], to[256];
    sn_err err = {0};
    t.big_endian = i == 1;
    t.binary_mdef = i >= 1;
    make_dir(from, sizeof from);
    make_dir(to, sizeof to);
    toy_write(&t, from);
    OK(sn_am_import_sphinx(from, to, NULL, NULL, &err));
    read_all(to, "am.bin", &data[i], &n[i]);
    assert_int_equal(n[i], n[0]);
    assert_memory_equal(data[i], data[0], n[0]);
    remove_dir(from);
    remove_dir(to);
  }
  for (int i = 0; i < 3; i++) sn_free(data[i]);
}

static void test_feat_params_settings_count_unless_options_say_other(
    void **state) {
  (void)state;
  char from[256], to[256];
  static const char params[] =
      "-feat 1s_c_d_dd\n-cmn none\n-svspec 0-12/13-25/26-38\n-topn 2\n-lw 9\n";
  sn_am_import_opts o;
  sn_opt_defaults(sn_am_import_opt_table, &o);
  for (int i = 0; i < 2; i++) {
    sn_err err = {0};
    sn_am *am = NULL;
    make_dir(from, sizeof from);
    make_dir(to, sizeof to);
    toy_write(&ptm, from);
    write_file(from, "feat.params", params, sizeof params - 1);
    if (i == 1) o.top_n = 3;
    o.name = "a toy";
    OK(sn_am_import_sphinx(from, to, &o, NULL, &err));
    OK(sn_am_load(to, NULL, &am, &err));
    assert_int_equal(sn_am_get_info(am).top_n, i == 0 ? 2 : 3);
    assert_true(sn_am_default_scales(am).lm_scale == 9.0);
    assert_string_equal(sn_am_name(am), "a toy");
    sn_am_destroy(am);
    remove_dir(from);
    remove_dir(to);
  }
}

static void test_senmgau_assigns_codebooks(void **state) {
  (void)state;
  char from[256], to[256];
  sn_err err = {0};
  sn_am *am = NULL;
  bytes b = {0};
  make_dir(from, sizeof from);
  make_dir(to, sizeof to);
  toy_write(&ptm, from); /* 4 codebooks */
  put_s3_header(&b, "1.2");
  put_u32(&b, 4);
  put_u32(&b, 15);
  for (uint32_t i = 0; i < 15; i++) put_u32(&b, (i * 7) % 4);
  put_s3_end(&b);
  write_bytes(from, "senmgau", &b);
  OK(sn_am_import_sphinx(from, to, NULL, NULL, &err));
  OK(sn_am_load(to, NULL, &am, &err));
  assert_int_equal(sn_am_get_info(am).kind, SN_AM_CONTINUOUS);
  for (int32_t i = 0; i < 15; i++)
    assert_int_equal(sni_am_view_of(am)->pdf_codebook[i], (i * 7) % 4);
  sn_am_destroy(am);
  remove_dir(from);
  remove_dir(to);
}

/* A transform that swaps the first two features. */
static void test_a_feature_transform_moves_into_the_model(void **state) {
  (void)state;
  char from[256], to[256];
  sn_err err = {0};
  sn_am *am = NULL;
  bytes b = {0};
  const toy one = {SN_AM_SEMI, 1, 8, false, false, false};
  make_dir(from, sizeof from);
  make_dir(to, sizeof to);
  toy_write(&one, from);
  put_s3_header(&b, "0.1");
  put_u32(&b, 1);
  put_u32(&b, 39);
  put_u32(&b, 39);
  put_u32(&b, 39 * 39);
  for (int i = 0; i < 39; i++)
    for (int j = 0; j < 39; j++)
      put_float(&b, j == (i < 2 ? 1 - i : i) ? 1.0f : 0.0f);
  put_s3_end(&b);
  write_bytes(from, "feature_transform", &b);
  OK(sn_am_import_sphinx(from, to, NULL, NULL, &err));
  remove_dir(from); /* the model stands alone */
  OK(sn_am_load(to, NULL, &am, &err));
  const char *const lda = sn_feat_config_get(sn_am_feat(am), "lda");
  assert_non_null(lda);
  assert_true(strncmp(lda, to, strlen(to)) == 0);
  sn_am_destroy(am);
  remove_dir(to);
}

/* ---- Debian's models ---- */

static void test_en_us_has_the_known_counts(void **state) {
  (void)state;
  need(EN_US "/mdef");
  sn_am *const am = import_and_load(EN_US);
  const sn_am_info i = sn_am_get_info(am);
  assert_int_equal(i.kind, SN_AM_PTM);
  assert_int_equal(i.n_phones, 42);
  assert_int_equal(i.n_fillers, 3);
  assert_int_equal(i.n_triphones, 137053);
  assert_int_equal(i.n_pdfs, 5126);
  assert_int_equal(i.n_hmms, 29324);
  assert_int_equal(i.n_codebooks, 42);
  assert_int_equal(i.n_streams, 3);
  assert_int_equal(i.n_gauss, 128);
  assert_int_equal(i.dim, 39);
  size_t n_floored = 0;
  for (size_t k = 0; k < 42 * 128 * 39; k++)
    n_floored += sni_am_view_of(am)->vars[k] == 1e-4f;
  assert_int_equal(n_floored, 222);
  assert_int_equal(sn_am_n_fillers(am), 3);
  assert_string_equal(sn_am_filler_at(am, 0).word, "<sil>");
  assert_true(fabs((double)sn_am_filler_at(am, 0).logp - log(0.005)) < 1e-6);
  assert_string_equal(sn_am_filler_at(am, 1).word, "[NOISE]");
  assert_string_equal(sn_am_filler_at(am, 2).word, "[SPEECH]");
  assert_string_equal(sn_am_phone(am, sn_am_filler_at(am, 2).phone), "+SPN+");
  sn_am_destroy(am);
}

/* Each row of transitions: forward only, sums to one, nothing but zero below
 * the floor. Rounding: S + 1 floats, log and exp back: 1e-5 is ample. */
static void check_transitions(const sn_am *am, bool skips) {
  bool any_skip = false;
  for (int32_t k = 0; k < sn_am_n_hmms(am); k++) {
    const sn_hmm h = sn_am_hmm(am, k);
    for (int32_t i = 0; i < h.n_states; i++) {
      double sum = 0;
      for (int32_t j = 0; j <= h.n_states; j++) {
        const double p = exp((double)h.logp[i * (h.n_states + 1) + j]);
        sum += p;
        assert_true(p == 0.0 || (j >= i && p > 0.99e-4));
        if (p > 0.0 && j == i + 2) any_skip = true;
      }
      assert_true(fabs(sum - 1.0) < 1e-5);
    }
  }
  assert_int_equal(any_skip, skips);
}

static void test_transitions_are_normalised_and_may_skip(void **state) {
  (void)state;
  need(TESTDATA "/tidigits/hmm/mdef");
  sn_am *am = import_and_load(TESTDATA "/tidigits/hmm");
  assert_int_equal(sn_am_get_info(am).kind, SN_AM_SEMI);
  assert_int_equal(sn_am_get_info(am).n_states, 5);
  assert_int_equal(sn_am_get_info(am).n_streams, 4);
  check_transitions(am, true);
  sn_am_destroy(am);
  am = import_and_load(TESTDATA "/an4_ci_cont");
  assert_int_equal(sn_am_get_info(am).kind, SN_AM_CONTINUOUS);
  assert_int_equal(sn_am_get_info(am).n_triphones, 0);
  check_transitions(am, false);
  sn_am_destroy(am);
  need(EN_US "/mdef");
  am = import_and_load(EN_US);
  check_transitions(am, false);
  sn_am_destroy(am);
}

/* ---- The definition as PocketSphinx's own tool prints it ---- */

enum { MAX_P = 64 };
typedef struct listing {
  int n, pdf[MAX_P][3], tmat[MAX_P];
  int filler[MAX_P], sil;
  char name[MAX_P][16];
  int32_t (*tri)[MAX_P][MAX_P][MAX_P]; /* [4]: line of the triphone, or 0 */
  int (*line)[4];                      /* tmat, pdfs */
} listing;

static int name_of(const listing *l, const char *name) {
  for (int i = 0; i < l->n; i++)
    if (strcmp(l->name[i], name) == 0) return i;
  return -1;
}

static void read_listing(FILE *f, listing *l) {
  char text[256], base[16], left[16], right[16], pos[4], kind[16];
  int n_lines = 1;
  memset(l, 0, sizeof *l);
  l->tri = calloc(4, sizeof *l->tri);
  l->line = calloc(200000, sizeof *l->line);
  while (fgets(text, sizeof text, f) != NULL) {
    int t = 0, p[3];
    if (sscanf(text, "%15s %15s %15s %3s %15s %d %d %d %d", base, left, right,
               pos, kind, &t, p, p + 1, p + 2) != 9)
      continue;
    if (left[0] == '-') {
      strcpy(l->name[l->n], base);
      l->filler[l->n] = strcmp(kind, "filler") == 0;
      if (strcmp(base, "SIL") == 0) l->sil = l->n;
      l->tmat[l->n] = t;
      memcpy(l->pdf[l->n++], p, sizeof p);
      continue;
    }
    const int w = pos[0] == 'i' ? 0 : pos[0] == 'b' ? 1 : pos[0] == 'e' ? 2 : 3;
    l->tri[w][name_of(l, base)][name_of(l, left)][name_of(l, right)] = n_lines;
    l->line[n_lines][0] = t;
    memcpy(l->line[n_lines++] + 1, p, sizeof p);
  }
}

/* bin_mdef_phone_id_nearest, over the listing. */
static int32_t nearest(const listing *l, int b, int left, int right, int pos) {
  if (l->filler[left]) left = l->sil;
  if (l->filler[right]) right = l->sil;
  for (int round = 0; round < 2; round++) {
    if (l->tri[pos][b][left][right] != 0) return l->tri[pos][b][left][right];
    for (int w = 0; w < 4; w++)
      if (l->tri[w][b][left][right] != 0) return l->tri[w][b][left][right];
    if (pos == 1 || pos == 3) left = l->sil;
    if (pos == 2 || pos == 3) right = l->sil;
  }
  return 0;
}

static void test_every_context_has_the_states_pocketsphinx_would_take(
    void **state) {
  (void)state;
  need(EN_US "/mdef");
  need("/usr/bin/pocketsphinx_mdef_convert");
  char dir[256], cmd[1024];
  listing l;
  make_dir(dir, sizeof dir);
  (void)snprintf(cmd, sizeof cmd,
                 "pocketsphinx_mdef_convert -text " EN_US
                 "/mdef %s/mdef.txt > /dev/null 2>&1",
                 dir);
  assert_int_equal(system(cmd), 0);
  (void)snprintf(cmd, sizeof cmd, "%s/mdef.txt", dir);
  FILE *const f = fopen(cmd, "r");
  assert_non_null(f);
  read_listing(f, &l);
  (void)fclose(f);
  sn_am *const am = import_and_load(EN_US);
  const int P = sn_am_n_phones(am);
  assert_int_equal(P, l.n);
  for (int b = 0; b < P; b++) {
    assert_string_equal(sn_am_phone(am, b), l.name[b]);
    assert_int_equal(sn_am_is_filler(am, b), l.filler[b]);
    for (int left = 0; left < P; left++)
      for (int right = 0; right < P; right++)
        for (int pos = 0; pos < 4; pos++) {
          const int32_t hmm =
              sn_am_triphone(am, b, left, right, (sn_wordpos)pos, NULL);
          const int32_t want = nearest(&l, b, left, right, pos);
          const int *const pdf = want ? l.line[want] + 1 : l.pdf[b];
          const int tmat = want ? l.line[want][0] : l.tmat[b];
          const sn_hmm h = sn_am_hmm(am, hmm);
          if (h.pdfs[0] != pdf[0] || h.pdfs[1] != pdf[1] ||
              h.pdfs[2] != pdf[2] || sni_am_view_of(am)->hmm_tmat[hmm] != tmat)
            fail_msg("%s(%s,%s) at %d", l.name[b], l.name[left], l.name[right],
                     pos);
        }
  }
  sn_am_destroy(am);

  /* And the text form makes the same model. */
  char to[2][256];
  char *data[2] = {NULL};
  size_t n[2] = {0};
  static const char *const files[] = {"means",       "variances",
                                      "sendump",     "transition_matrices",
                                      "feat.params", "noisedict"};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    copy_file(EN_US, dir, files[i]);
  (void)snprintf(cmd, sizeof cmd, "mv %s/mdef.txt %s/mdef", dir, dir);
  assert_int_equal(system(cmd), 0);
  for (int i = 0; i < 2; i++) {
    sn_err err = {0};
    make_dir(to[i], sizeof to[i]);
    OK(sn_am_import_sphinx(i == 0 ? EN_US : dir, to[i], NULL, NULL, &err));
    read_all(to[i], "am.bin", &data[i], &n[i]);
    remove_dir(to[i]);
  }
  assert_int_equal(n[0], n[1]);
  assert_memory_equal(data[0], data[1], n[0]);
  sn_free(data[0]);
  sn_free(data[1]);
  free(l.tri);
  free(l.line);
  remove_dir(dir);
}

/* ---- Bad input ---- */

static void test_a_missing_file_is_named(void **state) {
  (void)state;
  static const char *const files[] = {"mdef",
                                      "means",
                                      "variances",
                                      "mixture_weights",
                                      "transition_matrices",
                                      "feat.params"};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    char from[256], to[256], path[512];
    sn_err err = {0};
    make_dir(from, sizeof from);
    make_dir(to, sizeof to);
    toy_write(&ptm, from);
    in_dir(path, sizeof path, from, files[i]);
    assert_int_equal(remove(path), 0);
    assert_int_equal(sn_am_import_sphinx(from, to, NULL, NULL, &err), SN_EIO);
    if (strstr(err.msg, files[i]) == NULL)
      fail_msg("'%s' does not name %s", err.msg, files[i]);
    in_dir(path, sizeof path, to, "model.ini");
    assert_false(have(path));
    remove_dir(from);
    remove_dir(to);
  }
  sn_err err = {0};
  sn_am *am = NULL;
  assert_int_equal(
      sn_am_import_sphinx("/nonexistent", "/nonexistent/x", NULL, NULL, &err),
      SN_EIO);
  sn_err_clear(&err);
  assert_int_equal(sn_am_load("/nonexistent", NULL, &am, &err), SN_EIO);
  assert_null(am);
}

static void test_files_of_two_models_are_refused_with_both_numbers(
    void **state) {
  (void)state;
  const toy other = {SN_AM_SEMI, 1, 4, false, false, false};
  static const struct {
    const char *file, *a, *b;
  } cases[] = {{"means", "1 codebooks", "has 4"},
               {"variances", "4 codebooks", "has 1"},
               {"mixture_weights", "3 feature streams", "has 1"}};
  for (size_t i = 0; i < 3; i++) {
    char from[256], to[256];
    sn_err err = {0};
    make_dir(from, sizeof from);
    make_dir(to, sizeof to);
    toy_write(&ptm, from);
    bytes b = i == 2 ? toy_mixw(&other) : toy_gauss(&other, i == 1);
    write_bytes(from, cases[i].file, &b);
    assert_int_equal(sn_am_import_sphinx(from, to, NULL, NULL, &err),
                     SN_EMISMATCH);
    if (strstr(err.msg, cases[i].a) == NULL ||
        strstr(err.msg, cases[i].b) == NULL)
      fail_msg("'%s' lacks '%s' or '%s'", err.msg, cases[i].a, cases[i].b);
    remove_dir(from);
    remove_dir(to);
  }
  if (!have(TESTDATA "/tidigits/hmm/mdef")) return;
  char from[256], to[256];
  sn_err err = {0};
  make_dir(from, sizeof from);
  make_dir(to, sizeof to);
  toy_write(&ptm, from);
  copy_file(TESTDATA "/tidigits/hmm", from, "transition_matrices");
  assert_int_equal(sn_am_import_sphinx(from, to, NULL, NULL, &err),
                   SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "mdef has 4 transition matrices"));
  assert_non_null(strstr(err.msg, "has 34"));
  sn_err_clear(&err);
  toy_write(&ptm, from);
  write_file(from, "feat.params", "-feat 1s_c\n-svspec 0-12/13-25/26-38\n", 36);
  assert_int_equal(sn_am_import_sphinx(from, to, NULL, NULL, &err),
                   SN_EMISMATCH);
  sn_err_clear(&err);
  write_file(from, "feat.params", "-svspec 0-11/13-25/26-38\n", 25);
  assert_int_equal(sn_am_import_sphinx(from, to, NULL, NULL, &err),
                   SN_EMISMATCH);
  sn_err_clear(&err);
  toy_write(&ptm, from);
  write_file(from, "noisedict", "++X++ XX\n", 9);
  assert_int_equal(sn_am_import_sphinx(from, to, NULL, NULL, &err),
                   SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "noisedict:1"));
  remove_dir(from);
  remove_dir(to);
}

/* Loads what was imported, and uses it. */
static void use_model(const char *dir) {
  sn_am *am = NULL;
  sn_err err = {0};
  sn_mat x, out;
  if (sn_am_load(dir, NULL, &am, &err) != SN_OK) return;
  const sn_am_info i = sn_am_get_info(am);
  OK(sn_mat_alloc(3, (size_t)i.dim, &x, &err));
  OK(sn_mat_alloc(3, (size_t)i.n_pdfs, &out, &err));
  OK(sn_am_score_block(am, sn_mat_const(x), out, &err));
  for (int32_t b = 0; b < i.n_phones; b++)
    (void)sn_am_hmm(am, sn_am_triphone(am, b, b, 0, SN_POS_BEGIN, NULL));
  sn_mat_free(&x);
  sn_mat_free(&out);
  sn_am_destroy(am);
}

/* Damages each file of a model in turn, in `trials` places. */
static void damage(const char *model, int trials) {
  static const char *const files[] = {"mdef",        "means",
                                      "variances",   "mixture_weights",
                                      "sendump",     "transition_matrices",
                                      "feat.params", "noisedict"};
  char from[256], to[256], path[512];
  sn_rng r;
  sn_rng_init(&r, 1);
  make_dir(from, sizeof from);
  make_dir(to, sizeof to);
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    copy_file(model, from, files[i]);
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    char *data = NULL;
    size_t n = 0;
    in_dir(path, sizeof path, from, files[i]);
    if (!have(path)) continue;
    read_all(from, files[i], &data, &n);
    for (int k = 0; k < trials; k++) {
      sn_err err = {0};
      /* Mostly near the beginning, where the counts are. */
      const uint32_t limit = k % 4 != 0 && n > 120 ? 120 : (uint32_t)n;
      const uint32_t at = sn_rng_below(&r, limit);
      const char was = data[at];
      if (k % 2 == 0) {
        data[at] = (char)sn_rng_below(&r, 256);
        write_file(from, files[i], data, n);
        data[at] = was;
      } else {
        write_file(from, files[i], data, at);
      }
      if (sn_am_import_sphinx(from, to, NULL, NULL, &err) == SN_OK)
        use_model(to);
      else
        assert_true(err.msg[0] != '\0');
    }
    write_file(from, files[i], data, n);
    sn_free(data);
  }
  remove_dir(from);
  remove_dir(to);
}

static void test_damaged_sphinx_files_never_crash(void **state) {
  (void)state;
  const toy *const toys[] = {&ptm, &semi_dump, &cont};
  for (int i = 0; i < 3; i++) {
    char dir[256];
    make_dir(dir, sizeof dir);
    toy_write(toys[i], dir);
    damage(dir, 120);
    remove_dir(dir);
  }
  if (have(TESTDATA "/an4_ci_cont/mdef"))
    damage(TESTDATA "/an4_ci_cont", 40);
  else
    print_message("[  SKIPPED ] no an4_ci_cont\n");
  if (have(TESTDATA "/tidigits/hmm/mdef"))
    damage(TESTDATA "/tidigits/hmm", 16);
  else
    print_message("[  SKIPPED ] no tidigits\n");
}

static void test_no_altered_byte_of_am_bin_gets_through(void **state) {
  (void)state;
  char from[256], to[256], *data = NULL;
  size_t n = 0, n_passed = 0;
  sn_err err = {0};
  make_dir(from, sizeof from);
  make_dir(to, sizeof to);
  toy_write(&cont, from);
  OK(sn_am_import_sphinx(from, to, NULL, NULL, &err));
  read_all(to, "am.bin", &data, &n);
  for (size_t at = 0; at < n; at++) {
    sn_am *am = NULL;
    sn_err_clear(&err);
    /* All of the head, then every third byte. */
    if (at > 1500 && at % 3 != 0) continue;
    data[at] ^= 0x15;
    write_file(to, "am.bin", data, n);
    const sn_status s = sn_am_load(to, NULL, &am, &err);
    data[at] ^= 0x15;
    if (s == SN_OK) n_passed++;
    sn_am_destroy(am);
  }
  /* What nobody reads: the zeros that fill up to the next section, at most 63
   * for each of the 16 sections, the head and the table. */
  assert_true(n_passed <= 18 * 63);
  for (size_t k = 0; k < n; k += k < 1500 ? 7 : 97) {
    sn_am *am = NULL;
    sn_err_clear(&err);
    write_file(to, "am.bin", data, k);
    assert_int_not_equal(sn_am_load(to, NULL, &am, &err), SN_OK);
    assert_null(am);
  }
  sn_free(data);
  remove_dir(from);
  remove_dir(to);
}

static void test_damaged_model_ini_never_crashes(void **state) {
  (void)state;
  char from[256], to[256], *data = NULL;
  size_t n = 0;
  sn_err err = {0};
  make_dir(from, sizeof from);
  make_dir(to, sizeof to);
  toy_write(&cont, from);
  OK(sn_am_import_sphinx(from, to, NULL, NULL, &err));
  read_all(to, "model.ini", &data, &n);
  for (size_t at = 0; at < n; at++) {
    sn_am *am = NULL;
    sn_err_clear(&err);
    data[at] ^= 0x11;
    write_file(to, "model.ini", data, n);
    data[at] ^= 0x11;
    if (sn_am_load(to, NULL, &am, &err) != SN_OK) assert_null(am);
    sn_am_destroy(am);
    am = NULL;
    sn_err_clear(&err);
    write_file(to, "model.ini", data, at);
    if (sn_am_load(to, NULL, &am, &err) != SN_OK) assert_null(am);
    sn_am_destroy(am);
  }
  sn_free(data);
  remove_dir(from);
  remove_dir(to);
}

/* Values that a checksum would not catch: whoever wrote the file wrote them. */
static void test_bad_values_under_a_good_checksum_are_refused(void **state) {
  (void)state;
  sn_am *const am = toy_load(&ptm);
  const sni_am_view good = *sni_am_view_of(am);
  sn_rng r;
  sn_rng_init(&r, 31);
  int n_refused = 0;
  for (int trial = 0; trial < 4000; trial++) {
    sni_am_view v = good;
    int32_t base[4], hmm_tmat[7], hmm_pdfs[21], codebook[15], dims[39];
    int32_t first[65];
    sni_am_tri tris[4];
    float means[4 * 8 * 39], vars[4 * 8 * 39];
    sn_err err = {0};
    memcpy(base, v.base_hmm, sizeof base);
    memcpy(hmm_tmat, v.hmm_tmat, sizeof hmm_tmat);
    memcpy(hmm_pdfs, v.hmm_pdfs, sizeof hmm_pdfs);
    memcpy(codebook, v.pdf_codebook, sizeof codebook);
    memcpy(dims, v.stream_dims, sizeof dims);
    memcpy(first, v.tri_first, sizeof first);
    memcpy(tris, v.tris, sizeof tris);
    memcpy(means, v.means, sizeof means);
    memcpy(vars, v.vars, sizeof vars);
    v.base_hmm = base;
    v.hmm_tmat = hmm_tmat;
    v.hmm_pdfs = hmm_pdfs;
    v.pdf_codebook = codebook;
    v.stream_dims = dims;
    v.tri_first = first;
    v.tris = tris;
    v.means = means;
    v.vars = vars;
    const int32_t x = (int32_t)(sn_rng_u32(&r) >> sn_rng_below(&r, 32));
    const int32_t value = sn_rng_below(&r, 2) ? x : -x;
    float as_float;
    memcpy(&as_float, &value, sizeof as_float);
    switch (sn_rng_below(&r, 9)) {
      case 0:
        base[sn_rng_below(&r, 4)] = value;
        break;
      case 1:
        hmm_tmat[sn_rng_below(&r, 7)] = value;
        break;
      case 2:
        hmm_pdfs[sn_rng_below(&r, 21)] = value;
        break;
      case 3:
        codebook[sn_rng_below(&r, 15)] = value;
        break;
      case 4:
        dims[sn_rng_below(&r, 39)] = value;
        break;
      case 5:
        first[sn_rng_below(&r, 65)] = value;
        break;
      case 6:
        tris[sn_rng_below(&r, 4)].right = value;
        break;
      case 7:
        means[sn_rng_below(&r, 4 * 8 * 39)] = as_float;
        break;
      default:
        vars[sn_rng_below(&r, 4 * 8 * 39)] = as_float;
    }
    if (sni_am_check(&v, "view", &err) != SN_OK) {
      n_refused++;
      continue;
    }
    sni_gmm *g = NULL;
    if (sni_gmm_create(&v, &g, &err) != SN_OK) continue;
    sni_gmm_work w;
    sn_mat in, out;
    OK(sni_gmm_work_init(g, &w, &err));
    OK(sn_mat_alloc(5, 39, &in, &err));
    OK(sn_mat_alloc(5, 15, &out, &err));
    sni_gmm_score(g, &w, sn_mat_const(in), out);
    sn_mat_free(&in);
    sn_mat_free(&out);
    sni_gmm_work_clear(&w);
    sni_gmm_destroy(g);
    for (int32_t b = 0; b < 4; b++)
      for (int32_t k = 0; k < 64; k++)
        (void)sni_am_find_tri(&v, b, k / 4 % 4, k % 4, k / 16);
  }
  assert_true(n_refused > 1000);
  sn_am_destroy(am);
}

/* ---- Memory ---- */

static void test_import_survives_every_failed_allocation(void **state) {
  (void)state;
  char from[256], to[256];
  make_dir(from, sizeof from);
  make_dir(to, sizeof to);
  toy_write(&ptm, from);
  for (long k = 0;; k++) {
    sn_err err = {0};
    const long live = sn_mem_live();
    sn_mem_fail_after(k);
    const sn_status s = sn_am_import_sphinx(from, to, NULL, NULL, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) {
      OK(s);
      break;
    }
    if (s != SN_ENOMEM && s != SN_OK)
      fail_msg("allocation %ld: %s: %s", k, sn_status_name(s), err.msg);
  }
  for (long k = 0;; k++) {
    sn_err err = {0};
    sn_am *am = NULL;
    const long live = sn_mem_live();
    sn_mem_fail_after(k);
    const sn_status s = sn_am_load(to, NULL, &am, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    if (s != SN_OK) assert_null(am);
    sn_am_destroy(am);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) {
      OK(s);
      break;
    }
    if (s != SN_ENOMEM && s != SN_OK)
      fail_msg("allocation %ld: %s: %s", k, sn_status_name(s), err.msg);
  }
  remove_dir(from);
  remove_dir(to);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small_models_come_out_as_they_went_in),
      cmocka_unit_test(test_triphones_back_off_in_the_stated_order),
      cmocka_unit_test(
          test_both_byte_orders_and_definitions_give_the_same_file),
      cmocka_unit_test(
          test_feat_params_settings_count_unless_options_say_other),
      cmocka_unit_test(test_senmgau_assigns_codebooks),
      cmocka_unit_test(test_a_feature_transform_moves_into_the_model),
      cmocka_unit_test(test_en_us_has_the_known_counts),
      cmocka_unit_test(test_transitions_are_normalised_and_may_skip),
      cmocka_unit_test(
          test_every_context_has_the_states_pocketsphinx_would_take),
      cmocka_unit_test(test_a_missing_file_is_named),
      cmocka_unit_test(test_files_of_two_models_are_refused_with_both_numbers),
      cmocka_unit_test(test_damaged_sphinx_files_never_crash),
      cmocka_unit_test(test_no_altered_byte_of_am_bin_gets_through),
      cmocka_unit_test(test_damaged_model_ini_never_crashes),
      cmocka_unit_test(test_bad_values_under_a_good_checksum_are_refused),
      cmocka_unit_test(test_import_survives_every_failed_allocation)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
