/* SPDX-License-Identifier: Apache-2.0 */
/* The container: round trips, and every byte of it altered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/ref/temp_path.h"

#define MAGIC "SNTEST\0"
#define VERSION 3

typedef struct fixture {
  char dir[64], path[96];
} fixture;

static int set_up(void **state) {
  fixture *const f = calloc(1, sizeof *f);
  temp_template(f->dir, sizeof f->dir, "box");
  if (mkdtemp(f->dir) == NULL) return -1;
  snprintf(f->path, sizeof f->path, "%s/file", f->dir);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *const f = *state;
  (void)unlink(f->path);
  const int s = rmdir(f->dir);
  free(f);
  return s;
}

static const int32_t ints[5] = {1, -2, 3, INT32_MAX, INT32_MIN};
static const double doubles[3] = {0.5, -1e300, 3};

static sn_status write_box(const char *path, sn_err *err) {
  sn_box_writer *w = NULL;
  sn_status s = sn_box_create(path, MAGIC, VERSION, &w, err);
  if (s == SN_OK) s = sn_box_add(w, "ints", 4, ints, 5, err);
  if (s == SN_OK) s = sn_box_start(w, "pieces", 3, err);
  for (int i = 0; s == SN_OK && i < 100; i++)
    s = sn_box_append(w, i % 2 ? "abc" : "xyzuvw", i % 2 ? 1 : 2, err);
  if (s == SN_OK) s = sn_box_add(w, "empty", 8, NULL, 0, err);
  if (s == SN_OK) s = sn_box_add(w, "doubles", 8, doubles, 3, err);
  if (s == SN_OK) s = sn_box_commit(w, err);
  sn_box_writer_destroy(w);
  return s;
}

static void expect_sections(sn_box *b, unsigned flags) {
  const void *data = NULL;
  size_t n = 0;
  sn_err err = {0};
  if (sn_box_section(b, "ints", 4, flags, &data, &n, &err) != SN_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(n, 5);
  assert_memory_equal(data, ints, sizeof ints);
  assert_int_equal((uintptr_t)data % 64, 0);
  assert_int_equal(sn_box_section(b, "pieces", 3, flags, &data, &n, NULL),
                   SN_OK);
  assert_int_equal(n, 150);
  assert_memory_equal(data, "xyzuvwabcxyz", 12);
  assert_int_equal(sn_box_section(b, "empty", 8, flags, &data, &n, NULL),
                   SN_OK);
  assert_int_equal(n, 0);
  assert_int_equal(sn_box_section(b, "doubles", 8, flags, &data, &n, NULL),
                   SN_OK);
  assert_memory_equal(data, doubles, sizeof doubles);
  assert_int_equal(sn_box_check(b, NULL), SN_OK);
}

static void sections_come_back(void **state) {
  const fixture *const f = *state;
  sn_box *b = NULL;
  assert_int_equal(write_box(f->path, NULL), SN_OK);
  for (int lazily = 0; lazily < 2; lazily++) {
    assert_int_equal(sn_box_open(f->path, MAGIC, VERSION, &b, NULL), SN_OK);
    expect_sections(b, lazily ? SN_BOX_LAZY : 0);
    sn_box_destroy(b);
  }
  sn_box_destroy(NULL);
}

static void a_box_may_hold_nothing(void **state) {
  const fixture *const f = *state;
  sn_box_writer *w = NULL;
  assert_int_equal(sn_box_create(f->path, MAGIC, 1, &w, NULL), SN_OK);
  assert_int_equal(sn_box_commit(w, NULL), SN_OK);
  sn_box_writer_destroy(w);
  sn_box *b = NULL;
  assert_int_equal(sn_box_open(f->path, MAGIC, 1, &b, NULL), SN_OK);
  assert_int_equal(sn_box_check(b, NULL), SN_OK);
  sn_box_destroy(b);
}

static void the_bytes_are_those_of_the_format_page(void **state) {
  const fixture *const f = *state;
  sn_box_writer *w = NULL;
  assert_int_equal(sn_box_create(f->path, "SNX", 7, &w, NULL), SN_OK);
  assert_int_equal(sn_box_add(w, "a", 2, "wxyz", 2, NULL), SN_OK);
  assert_int_equal(sn_box_commit(w, NULL), SN_OK);
  sn_box_writer_destroy(w);
  sn_map m;
  assert_int_equal(sn_map_open(f->path, &m, NULL), SN_OK);
  assert_int_equal(m.n, 64 + 64 + 40);
  static const unsigned char header[60] = {
      'S', 'N', 'X', 0, 0, 0, 0, 0, /* magic */
      7,   0,   0,   0,             /* version */
      4,   3,   2,   1,             /* byte order */
      168, 0,   0,   0, 0, 0, 0, 0, /* file size */
      128, 0,   0,   0, 0, 0, 0, 0, /* place of the table */
      1,   0,   0,   0};            /* sections */
  assert_memory_equal(m.data, header, sizeof header);
  assert_memory_equal(m.data + 64, "wxyz\0\0", 6);
  static const unsigned char entry[32] = {'a', 0, 0, 0, 0, 0,  0, 0, 0, 0, 0,
                                          0,   0, 0, 0, 0, 64, 0, 0, 0, 0, 0,
                                          0,   0, 4, 0, 0, 0,  0, 0, 0, 0};
  assert_memory_equal(m.data + 128, entry, sizeof entry);
  const uint32_t crc = sn_crc32(0, "wxyz", 4);
  assert_memory_equal(m.data + 160, &crc, 4);
  assert_memory_equal(m.data + 164, "\2\0\0\0", 4);
  unsigned char covered[104];
  memcpy(covered, m.data, 64);
  memset(covered + 60, 0, 4);
  memcpy(covered + 64, m.data + 128, 40);
  const uint32_t all = sn_crc32(0, covered, sizeof covered);
  assert_memory_equal(m.data + 60, &all, 4);
  sn_map_close(&m);
}

static void what_is_asked_for_must_be_there(void **state) {
  const fixture *const f = *state;
  sn_box *b = NULL;
  sn_err err = {0};
  const void *data = "";
  size_t n = 1;
  assert_int_equal(write_box(f->path, NULL), SN_OK);
  assert_int_equal(sn_box_open(f->path, MAGIC, 4, &b, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg,
                         "version 3 of the SNTEST format; this "
                         "program reads version 4"));
  sn_err_clear(&err);
  assert_int_equal(sn_box_open_range(f->path, MAGIC, 4, 6, &b, &err),
                   SN_EFORMAT);
  assert_non_null(strstr(err.msg, "this program reads versions 4 to 6"));
  sn_err_clear(&err);
  assert_int_equal(sn_box_open_range(f->path, MAGIC, 1, 3, &b, NULL), SN_OK);
  sn_box_destroy(b);
  b = NULL;
  assert_int_equal(sn_box_open(f->path, "SNOTHER", 3, &b, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "is no SNOTHER file"));
  sn_err_clear(&err);
  assert_null(b);
  assert_int_equal(sn_box_open(f->path, MAGIC, VERSION, &b, NULL), SN_OK);
  assert_int_equal(sn_box_section(b, "q", 4, 0, &data, &n, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "has no section 'q'"));
  assert_null(data);
  sn_err_clear(&err);
  assert_int_equal(sn_box_section(b, "q", 4, SN_BOX_OPTIONAL, &data, &n, NULL),
                   SN_OK);
  assert_true(data == NULL && n == 0);
  assert_int_equal(sn_box_section(b, "ints", 8, 0, &data, &n, &err),
                   SN_EFORMAT);
  assert_non_null(strstr(err.msg, "elements of 4 bytes instead of 8"));
  sn_box_destroy(b);
}

/* Opens and checks; every section may be walked whatever happens. */
static sn_status open_and_check(const void *bytes, size_t n, sn_err *err) {
  sn_box *b = NULL;
  SN_TRY(sn_box_memory(bytes, n, "x.box", MAGIC, VERSION, &b, err));
  static const struct {
    const char *name;
    size_t size;
  } sections[] = {{"ints", 4}, {"pieces", 3}, {"empty", 8}, {"doubles", 8}};
  sn_status s = SN_OK;
  unsigned sum = 0;
  for (size_t i = 0; i < 4; i++) {
    const void *data = NULL;
    size_t count = 0;
    const sn_status each =
        sn_box_section(b, sections[i].name, sections[i].size,
                       SN_BOX_LAZY | SN_BOX_OPTIONAL, &data, &count, NULL);
    for (size_t k = 0; each == SN_OK && k < count * sections[i].size; k++)
      sum += ((const unsigned char *)data)[k];
  }
  s = sn_box_check(b, err);
  sn_box_destroy(b);
  return sum == 1 ? SN_EIO : s;
}

static void an_altered_byte_anywhere_is_found(void **state) {
  const fixture *const f = *state;
  assert_int_equal(write_box(f->path, NULL), SN_OK);
  char *bytes = NULL;
  size_t n = 0;
  assert_int_equal(sn_file_read(f->path, &bytes, &n, NULL), SN_OK);
  assert_int_equal(open_and_check(bytes, n, NULL), SN_OK);
  for (size_t i = 0; i < n; i++)
    for (int bit = 0; bit < 8; bit++) {
      bytes[i] = (char)(bytes[i] ^ 1 << bit);
      sn_err err = {0};
      if (open_and_check(bytes, n, &err) != SN_EFORMAT)
        fail_msg("byte %zu, bit %d: %s", i, bit, err.msg);
      if (strstr(err.msg, "'x.box'") == NULL) fail_msg("%s", err.msg);
      bytes[i] = (char)(bytes[i] ^ 1 << bit);
    }
  for (size_t cut = 0; cut < n; cut++)
    assert_int_equal(open_and_check(bytes, cut, NULL), SN_EFORMAT);
  sn_free(bytes);
}

static void random_headers_with_a_right_checksum_are_survived(void **state) {
  const fixture *const f = *state;
  assert_int_equal(write_box(f->path, NULL), SN_OK);
  char *bytes = NULL;
  size_t n = 0;
  assert_int_equal(sn_file_read(f->path, &bytes, &n, NULL), SN_OK);
  char *const copy = malloc(n);
  sn_rng rng;
  sn_rng_init(&rng, 4);
  uint64_t table = 0;
  memcpy(&table, bytes + 24, 8);
  for (int k = 0; k < 20000; k++) {
    memcpy(copy, bytes, n);
    /* An 8-byte field of header or table becomes something nasty. */
    static const uint64_t nasty[] = {0,
                                     1,
                                     63,
                                     65,
                                     1000,
                                     UINT32_MAX,
                                     (uint64_t)INT64_MAX,
                                     UINT64_MAX,
                                     UINT64_MAX - 63};
    const uint64_t v = nasty[sn_rng_below(&rng, 9)];
    const size_t fields = 5 + 4 * 5;
    const uint32_t field = sn_rng_below(&rng, (uint32_t)fields);
    char *const at = field < 5 ? copy + 16 + 8 * field
                               : copy + table + 8 * (size_t)(field - 5);
    memcpy(at, &v, sn_rng_below(&rng, 2) ? 8 : 4);
    memset(copy + 60, 0, 4);
    uint32_t crc = sn_crc32(0, copy, 64);
    crc = sn_crc32(crc, copy + table, n - table);
    memcpy(copy + 60, &crc, 4);
    const sn_status s = open_and_check(copy, n, NULL);
    assert_true(s == SN_OK || s == SN_EFORMAT);
  }
  free(copy);
  sn_free(bytes);
}

static void a_damaged_section_is_named_when_it_is_used(void **state) {
  const fixture *const f = *state;
  assert_int_equal(write_box(f->path, NULL), SN_OK);
  char *bytes = NULL;
  size_t n = 0;
  assert_int_equal(sn_file_read(f->path, &bytes, &n, NULL), SN_OK);
  bytes[64] = (char)(bytes[64] ^ 1); /* in "ints" */
  sn_box *b = NULL;
  sn_err err = {0};
  const void *data = NULL;
  size_t count = 0;
  assert_int_equal(sn_box_memory(bytes, n, "x", MAGIC, VERSION, &b, NULL),
                   SN_OK);
  assert_int_equal(sn_box_section(b, "doubles", 8, 0, &data, &count, NULL),
                   SN_OK);
  assert_int_equal(
      sn_box_section(b, "ints", 4, SN_BOX_LAZY, &data, &count, NULL), SN_OK);
  assert_int_equal(sn_box_section(b, "ints", 4, 0, &data, &count, &err),
                   SN_EFORMAT);
  assert_non_null(
      strstr(err.msg, "section 'ints' (bytes 64 to 84) is damaged"));
  assert_null(data);
  sn_box_destroy(b);
  sn_free(bytes);
}

static void an_unfinished_box_is_no_box(void **state) {
  const fixture *const f = *state;
  sn_box_writer *w = NULL;
  assert_int_equal(sn_box_create(f->path, MAGIC, 1, &w, NULL), SN_OK);
  assert_int_equal(sn_box_add(w, "a", 1, "x", 1, NULL), SN_OK);
  sn_box_writer_destroy(w);
  assert_false(sn_file_exists(f->path));
}

static void pipes_and_missing_folders_are_refused(void **state) {
  const fixture *const f = *state;
  sn_box_writer *w = NULL;
  sn_err err = {0};
  assert_int_equal(sn_box_create("/does/not/exist", MAGIC, 1, &w, &err),
                   SN_EIO);
  sn_err_clear(&err);
  assert_int_equal(mkfifo(f->path, 0600), 0);
  /* Open for reading too: a pipe without a reader would wait for one. */
  FILE *const keep = fopen(f->path, "r+");
  assert_non_null(keep);
  assert_int_equal(sn_box_create(f->path, MAGIC, 1, &w, &err), SN_EARG);
  assert_non_null(strstr(err.msg, "name a file instead"));
  fclose(keep);
}

static void out_of_memory_anywhere_is_a_status(void **state) {
  const fixture *const f = *state;
  const long before = sn_mem_live();
  for (long k = 0;; k++) {
    sn_box *b = NULL;
    sn_mem_fail_after(k);
    sn_status s = write_box(f->path, NULL);
    if (s == SN_OK) s = sn_box_open(f->path, MAGIC, VERSION, &b, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_box_destroy(b);
    assert_int_equal(sn_mem_live(), before);
    if (!fired) break;
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(sections_come_back),
      TEST(a_box_may_hold_nothing),
      TEST(the_bytes_are_those_of_the_format_page),
      TEST(what_is_asked_for_must_be_there),
      TEST(an_altered_byte_anywhere_is_found),
      TEST(random_headers_with_a_right_checksum_are_survived),
      TEST(a_damaged_section_is_named_when_it_is_used),
      TEST(an_unfinished_box_is_no_box),
      TEST(pipes_and_missing_folders_are_refused),
      TEST(out_of_memory_anywhere_is_a_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
