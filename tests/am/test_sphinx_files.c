/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of Sphinx's files: right values in either byte order, and for
 * every damaged file an error that says where. */
#include "tests/am/am_support.h"

static const toy ptm = {SN_AM_PTM, 3, 8, false, false, false};
static const toy ptm_big = {SN_AM_PTM, 3, 8, true, false, true};

/* ---- Values ---- */

static void test_gaussians_read_the_same_in_both_byte_orders(void **state) {
  (void)state;
  sn_err err = {0};
  bytes a = toy_gauss(&ptm, false), b = toy_gauss(&ptm_big, false);
  sni_s3_gauss x, y;
  OK(sni_s3_gauss_read(a.p, a.n, "little", &x, &err));
  OK(sni_s3_gauss_read(b.p, b.n, "big", &y, &err));
  assert_int_equal(x.n_codebooks, 4);
  assert_int_equal(x.n_streams, 3);
  assert_int_equal(x.n_gauss, 8);
  assert_int_equal(x.dim, 39);
  assert_memory_not_equal(a.p + 60, b.p + 60, 16);
  assert_memory_equal(x.data, y.data, 4 * 8 * 39 * sizeof(float));
  sni_s3_gauss_clear(&x);
  sni_s3_gauss_clear(&y);
  free(a.p);
  free(b.p);
}

static void test_dumps_read_bytes_padding_and_clusters(void **state) {
  (void)state;
  sn_err err = {0};
  sni_sendump d;
  for (int big = 0; big < 2; big++) {
    const toy *const t = big ? &ptm_big : &ptm;
    bytes b = toy_sendump(t, 0);
    OK(sni_sendump_read(b.p, b.n, "dump", 3, 8, 15, &d, &err));
    /* 16 columns in the file, the last one padding. */
    for (size_t r = 0; r < 24; r++)
      assert_memory_equal(d.data + 15 * r, b.p + b.n - 16 * (24 - r), 15);
    assert_true(fabs(d.unit - 1024 * log(1.0001)) < 1e-12);
    sni_sendump_clear(&d);
    free(b.p);
    b = toy_sendump(t, 15);
    OK(sni_sendump_read(b.p, b.n, "dump", 3, 8, 15, &d, &err));
    const unsigned char *const rows = b.p + b.n - 24 * 8;
    for (size_t r = 0; r < 24; r++)
      for (size_t i = 0; i < 15; i++) {
        const unsigned c = rows[8 * r + i / 2];
        assert_int_equal(d.data[15 * r + i], 10 * (i % 2 ? c >> 4 : c & 15));
      }
    sni_sendump_clear(&d);
    free(b.p);
  }
}

static void test_old_header_without_checksum_is_read(void **state) {
  (void)state;
  sn_err err = {0};
  bytes b = {0};
  sni_s3_tmat t;
  put_text(&b, "1.0\nsome words\n*end_comment*\n");
  put_u32(&b, 0x11223344);
  for (int i = 0; i < 4; i++) put_u32(&b, (const uint32_t[]){1, 1, 2, 2}[i]);
  put_float(&b, 3);
  put_float(&b, 1);
  OK(sni_s3_tmat_read(b.p, b.n, "old", &t, &err));
  assert_true(t.data[0] == 3.0f && t.data[1] == 1.0f);
  sni_s3_tmat_clear(&t);
  free(b.p);
}

static void test_text_and_binary_definitions_are_the_same(void **state) {
  (void)state;
  sn_err err = {0};
  bytes files[3] = {toy_mdef_text(), toy_mdef_binary(false),
                    toy_mdef_binary(true)};
  sni_mdef m[3];
  for (int i = 0; i < 3; i++)
    OK(sni_mdef_read(files[i].p, files[i].n, "mdef", &m[i], &err));
  for (int i = 0; i < 3; i++) {
    assert_int_equal(m[i].n_phones, 4);
    assert_int_equal(m[i].n_states, 3);
    assert_int_equal(m[i].n_pdfs, 15);
    assert_int_equal(m[i].n_tmats, 4);
    assert_int_equal(m[i].silence, 3);
    assert_memory_equal(m[i].is_filler, "\1\0\0\1", 4);
    /* B(A,SIL)e and B(A,A)s are one HMM. */
    assert_int_equal(m[i].hmm_tmat.n, 7);
    assert_int_equal(m[i].tris.n, 4);
    assert_memory_equal(m[i].tris.data, m[0].tris.data,
                        4 * sizeof *m[i].tris.data);
    assert_memory_equal(m[i].hmm_pdfs.data, m[0].hmm_pdfs.data,
                        21 * sizeof(int32_t));
    assert_int_equal(m[i].pdf_phone[12], 1);
    assert_int_equal(m[i].pdf_phone[14], 2);
  }
  for (int i = 0; i < 3; i++) {
    sni_mdef_clear(&m[i]);
    free(files[i].p);
  }
}

/* ---- Damage ---- */

static sn_status read_any(int which, const void *p, size_t n, sn_err *err) {
  sni_s3_gauss g = {0};
  sni_s3_mixw w = {0};
  sni_s3_tmat t = {0};
  sni_sendump d = {0};
  sni_s3_map map = {0};
  sni_mdef m = {0};
  sn_status s = SN_OK;
  switch (which) {
    case 0:
      s = sni_s3_gauss_read(p, n, "FILE", &g, err);
      break;
    case 1:
      s = sni_s3_mixw_read(p, n, "FILE", &w, err);
      break;
    case 2:
      s = sni_s3_tmat_read(p, n, "FILE", &t, err);
      break;
    case 3:
      s = sni_sendump_read(p, n, "FILE", 3, 8, 15, &d, err);
      break;
    case 4:
      s = sni_s3_map_read(p, n, "FILE", &map, err);
      break;
    default:
      s = sni_mdef_read(p, n, "FILE", &m, err);
  }
  sni_s3_gauss_clear(&g);
  sni_s3_mixw_clear(&w);
  sni_s3_tmat_clear(&t);
  sni_sendump_clear(&d);
  sni_s3_map_clear(&map);
  sni_mdef_clear(&m);
  return s;
}

static bytes toy_map(void) {
  bytes b = {0};
  put_s3_header(&b, "1.2");
  put_u32(&b, 4);
  put_u32(&b, 15);
  for (uint32_t i = 0; i < 15; i++) put_u32(&b, i % 4);
  put_s3_end(&b);
  return b;
}

/* Every kind of file, small; `which` is for read_any. */
static bytes make_file(int i, int *which) {
  static const toy tiny = {SN_AM_SEMI, 3, 2, false, false, false};
  static const int kinds[] = {0, 1, 2, 3, 3, 4, 5, 5, 5};
  *which = kinds[i];
  switch (i) {
    case 0:
      return toy_gauss(&tiny, false);
    case 1:
      return toy_mixw(&tiny);
    case 2:
      return toy_tmat(true);
    case 3:
      return toy_sendump(&ptm, 0);
    case 4:
      return toy_sendump(&ptm_big, 15);
    case 5:
      return toy_map();
    case 6:
      return toy_mdef_text();
    case 7:
      return toy_mdef_binary(false);
    default:
      return toy_mdef_binary(true);
  }
}
enum { N_FILES = 9 };

static void test_truncated_files_are_errors_that_name_the_place(void **state) {
  (void)state;
  for (int i = 0; i < N_FILES; i++) {
    int which = 0;
    bytes b = make_file(i, &which);
    sn_err err = {0};
    OK(read_any(which, b.p, b.n, &err));
    for (size_t n = 0; n < b.n; n++) {
      /* A copy of just that size, so that ASan sees a read beyond it. */
      unsigned char *const part = malloc(n + (n == 0));
      memcpy(part, b.p, n);
      sn_err_clear(&err);
      const sn_status s = read_any(which, part, n, &err);
      if (i == 6 && n == b.n - 1) { /* only the last line end is gone */
        assert_int_equal(s, SN_OK);
      } else {
        if (s != SN_EFORMAT && s != SN_EMISMATCH)
          fail_msg("file %d cut to %zu of %zu: %s", i, n, b.n,
                   sn_status_name(s));
        assert_true(strncmp(err.msg, "FILE", 4) == 0);
      }
      free(part);
    }
    free(b.p);
  }
}

/* Any single bit: an error or other values, never a crash. Behind a checksum
 * it is always an error. */
static void test_altered_bits_never_crash(void **state) {
  (void)state;
  for (int i = 0; i < N_FILES; i++) {
    int which = 0;
    bytes b = make_file(i, &which);
    for (size_t bit = 0; bit < 8 * b.n; bit++) {
      sn_err err = {0};
      b.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
      const sn_status s = read_any(which, b.p, b.n, &err);
      const bool summed = which <= 2 || which == 4;
      if (summed && bit / 8 >= 48 && s == SN_OK)
        fail_msg("file %d: altered bit %zu was not noticed", i, bit);
      b.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(b.p);
  }
}

static void test_random_damage_never_crashes(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 99);
  for (int i = 0; i < N_FILES; i++) {
    int which = 0;
    bytes b = make_file(i, &which);
    unsigned char *const copy = malloc(b.n);
    for (int trial = 0; trial < 3000; trial++) {
      sn_err err = {0};
      memcpy(copy, b.p, b.n);
      for (int k = 0; k < 4; k++)
        copy[sn_rng_below(&r, (uint32_t)b.n)] =
            (unsigned char)sn_rng_below(&r, 256);
      (void)read_any(which, copy, b.n, &err);
    }
    free(copy);
    free(b.p);
  }
}

/* Text lines and what the message must hold. */
static void test_definition_errors_name_the_line(void **state) {
  (void)state;
  static const struct {
    const char *from, *to, *says;
  } cases[] = {
      {"0.3", "0.4", "FILE:2: expected"},
      {"15 n_tied_state", "15 n_tied", "a known count"},
      {"32 n_state_map", "31 n_state_map", "n_state_map 31"},
      {"4 n_base", "4000 n_base", "n_base 4000 is above"},
      {"B A A s", "B A A x", "word position"},
      {"B A A s", "B A C s", "a right context"},
      {"3 9 10 11 N", "3 9 10 99 N", "senone 99 is above 14"},
      {"3 9 10 11 N", "7 9 10 11 N", "transition matrix 7 is above"},
      {"3 9 10 11 N", "3 9 10 11", "exit state"},
      {"B A A s n/a 2 6 14 8 N", "B A SIL e n/a 2 6 14 8 N", "there twice"},
      {"SIL - - - filler", "SI - - - filler", "left context"},
      {"A - - - n/a", "B - - - n/a", "not seen before"},
      {"n/a 2 6 14 8 N\n", "filler 2 6 14 8 N\n", "filler mark"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bytes b = toy_mdef_text();
    /* One blank between fields, to replace in. */
    size_t n = 0;
    for (size_t k = 0; k < b.n; k++)
      if (b.p[k] != ' ' || (n > 0 && b.p[n - 1] != ' ' && b.p[n - 1] != '\n'))
        b.p[n++] = b.p[k];
    b.n = n;
    put(&b, "", 1);
    char *const at = strstr((char *)b.p, cases[i].from);
    assert_non_null(at);
    bytes c = {0};
    put(&c, b.p, (size_t)(at - (char *)b.p));
    put_text(&c, cases[i].to);
    put_text(&c, at + strlen(cases[i].from));
    sn_err err = {0};
    sni_mdef m;
    assert_int_not_equal(sni_mdef_read(c.p, c.n, "FILE", &m, &err), SN_OK);
    if (strstr(err.msg, cases[i].says) == NULL)
      fail_msg("case %zu: '%s' does not say '%s'", i, err.msg, cases[i].says);
    free(b.p);
    free(c.p);
  }
}

static void test_parameter_errors_name_field_and_offset(void **state) {
  (void)state;
  sn_err err = {0};
  bytes b = toy_gauss(&ptm, false);
  b.p[b.n - 1] ^= 1;
  assert_int_equal(read_any(0, b.p, b.n, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "checksum at byte"));
  b.p[b.n - 1] ^= 1;
  put(&b, "x", 1);
  sn_err_clear(&err);
  assert_int_equal(read_any(0, b.p, b.n, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "1 more bytes"));
  free(b.p);
  b = toy_tmat(false);
  const uint32_t backward = 0x3f800000; /* state 1 to 0 */
  memcpy(b.p + 43 + 20 + 16, &backward, 4);
  sn_err_clear(&err);
  assert_int_equal(read_any(2, b.p, b.n, &err), SN_EFORMAT);
  free(b.p);
  b = toy_sendump(&ptm, 0);
  sni_sendump d;
  sn_err_clear(&err);
  assert_int_equal(sni_sendump_read(b.p, b.n, "FILE", 3, 8, 12, &d, &err),
                   SN_EMISMATCH);
  sn_err_clear(&err);
  assert_int_equal(sni_sendump_read(b.p, b.n, "FILE", 2, 8, 15, &d, &err),
                   SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "3 feature streams"));
  assert_non_null(strstr(err.msg, "have 2"));
  free(b.p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gaussians_read_the_same_in_both_byte_orders),
      cmocka_unit_test(test_dumps_read_bytes_padding_and_clusters),
      cmocka_unit_test(test_old_header_without_checksum_is_read),
      cmocka_unit_test(test_text_and_binary_definitions_are_the_same),
      cmocka_unit_test(test_truncated_files_are_errors_that_name_the_place),
      cmocka_unit_test(test_altered_bits_never_crash),
      cmocka_unit_test(test_random_damage_never_crashes),
      cmocka_unit_test(test_definition_errors_name_the_line),
      cmocka_unit_test(test_parameter_errors_name_field_and_offset)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
