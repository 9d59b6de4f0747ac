/* SPDX-License-Identifier: Apache-2.0 */
/* Readers, writers (atomic, packed, failing), files, maps. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/ref/temp_path.h"

typedef struct fixture {
  char dir[64], path[96], gz[96], link[96];
} fixture;

static int set_up(void **state) {
  fixture *const f = calloc(1, sizeof *f);
  temp_template(f->dir, sizeof f->dir, "io");
  if (mkdtemp(f->dir) == NULL) return -1;
  snprintf(f->path, sizeof f->path, "%s/file", f->dir);
  snprintf(f->gz, sizeof f->gz, "%s/file.gz", f->dir);
  snprintf(f->link, sizeof f->link, "%s/link", f->dir);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *const f = *state;
  (void)unlink(f->path);
  (void)unlink(f->gz);
  (void)unlink(f->link);
  const int s = rmdir(f->dir); /* fails where a temporary file is left */
  free(f);
  return s;
}

static void put(const char *path, const void *data, size_t n) {
  sn_writer *w = NULL;
  sn_err err = {0};
  if (sn_writer_open(path, &w, &err) != SN_OK ||
      sn_write_bytes(w, data, n, &err) != SN_OK ||
      sn_writer_commit(w, &err) != SN_OK)
    fail_msg("%s", err.msg);
  sn_writer_destroy(w);
}

static void expect_content(const char *path, const char *want) {
  char *data = NULL;
  size_t n = 0;
  assert_int_equal(sn_file_read(path, &data, &n, NULL), SN_OK);
  assert_string_equal(data, want);
  sn_free(data);
}

/* Text of many lines of all lengths, with every ending. */
static char *make_text(size_t *n, uint64_t seed) {
  sn_rng rng;
  sn_rng_init(&rng, seed);
  char *const text = malloc(400000);
  *n = 0;
  while (*n < 300000) {
    size_t len = sn_rng_below(&rng, 80);
    if (sn_rng_below(&rng, 200) == 0) len = sn_rng_below(&rng, 80000);
    for (size_t i = 0; i < len; i++)
      text[(*n)++] = (char)('a' + sn_rng_below(&rng, 26));
    if (sn_rng_below(&rng, 4) == 0) text[(*n)++] = '\r';
    text[(*n)++] = '\n';
  }
  memcpy(text + *n, "end", 3); /* no line break at the end */
  *n += 3;
  return text;
}

/* ---- Reading ---- */

static void expect_lines(sn_reader *r, const char *text, size_t n) {
  int64_t count = 0;
  for (size_t at = 0; at < n;) {
    const char *const nl = memchr(text + at, '\n', n - at);
    const size_t full = nl != NULL ? (size_t)(nl - text) - at : n - at;
    size_t len = full;
    if (len > 0 && text[at + len - 1] == '\r') len--;
    sn_span line;
    bool more = false;
    sn_err err = {0};
    if (sn_read_line(r, &line, &more, &err) != SN_OK) fail_msg("%s", err.msg);
    assert_true(more);
    assert_int_equal(line.n, len);
    assert_memory_equal(line.p, text + at, len);
    assert_int_equal(line.p[len], '\0');
    at += full + (nl != NULL ? 1 : 0);
    assert_int_equal(sn_reader_line_no(r), ++count);
    assert_int_equal(sn_reader_offset(r), at);
  }
  for (int i = 0; i < 2; i++) {
    sn_span line;
    bool more = true;
    assert_int_equal(sn_read_line(r, &line, &more, NULL), SN_OK);
    assert_false(more);
  }
}

static void lines_are_those_of_the_text_from_any_source(void **state) {
  const fixture *const f = *state;
  for (uint64_t seed = 0; seed < 4; seed++) {
    size_t n = 0;
    char *const text = make_text(&n, seed);
    put(f->path, text, n);
    put(f->gz, text, n);
    struct stat st;
    assert_int_equal(stat(f->gz, &st), 0);
    assert_true((size_t)st.st_size < n);
    sn_reader *r = NULL;
    assert_int_equal(sn_reader_open(f->path, &r, NULL), SN_OK);
    expect_lines(r, text, n);
    sn_reader_destroy(r);
    assert_int_equal(sn_reader_open(f->gz, &r, NULL), SN_OK);
    expect_lines(r, text, n);
    sn_reader_destroy(r);
    assert_int_equal(sn_reader_memory(text, n, "memory", &r, NULL), SN_OK);
    expect_lines(r, text, n);
    sn_reader_destroy(r);
    free(text);
  }
}

static void bytes_are_read_in_pieces_of_any_size(void **state) {
  const fixture *const f = *state;
  size_t n = 0;
  char *const text = make_text(&n, 8);
  put(f->gz, text, n);
  put(f->path, text, n);
  for (int k = 0; k < 2; k++) {
    sn_reader *r = NULL;
    sn_rng rng;
    sn_rng_init(&rng, 2);
    assert_int_equal(sn_reader_open(k ? f->gz : f->path, &r, NULL), SN_OK);
    char part[100000];
    for (size_t at = 0; at < n;) {
      size_t want = 1 + sn_rng_below(&rng, 90000);
      if (want > n - at) want = n - at;
      int next = -1;
      assert_int_equal(sn_read_peek(r, &next, NULL), SN_OK);
      assert_int_equal(next, text[at]);
      assert_int_equal(sn_read_bytes(r, part, want, NULL), SN_OK);
      assert_memory_equal(part, text + at, want);
      at += want;
      assert_int_equal(sn_reader_offset(r), at);
    }
    int next = 0;
    size_t got = 1;
    assert_int_equal(sn_read_peek(r, &next, NULL), SN_OK);
    assert_int_equal(next, -1);
    assert_int_equal(sn_read_some(r, part, 1, &got, NULL), SN_OK);
    assert_int_equal(got, 0);
    sn_err err = {0};
    assert_int_equal(sn_read_bytes(r, part, 3, &err), SN_EFORMAT);
    assert_non_null(strstr(err.msg, "3 more bytes were expected"));
    sn_reader_destroy(r);
  }
  free(text);
}

static void nothing_has_no_lines(void **state) {
  const fixture *const f = *state;
  put(f->path, "", 0);
  put(f->gz, "", 0);
  sn_reader *r = NULL;
  for (int k = 0; k < 3; k++) {
    if (k < 2)
      assert_int_equal(sn_reader_open(k ? f->gz : f->path, &r, NULL), SN_OK);
    else
      assert_int_equal(sn_reader_memory(NULL, 0, "m", &r, NULL), SN_OK);
    expect_lines(r, "", 0);
    sn_reader_destroy(r);
  }
}

static void a_nul_byte_stays_in_its_line(void **state) {
  (void)state;
  sn_reader *r = NULL;
  sn_span line;
  bool more = false;
  assert_int_equal(sn_reader_memory("a\0b\nc", 5, "m", &r, NULL), SN_OK);
  assert_int_equal(sn_read_line(r, &line, &more, NULL), SN_OK);
  assert_int_equal(line.n, 3);
  assert_memory_equal(line.p, "a\0b", 4);
  sn_reader_destroy(r);
}

static void a_file_of_one_endless_line_is_refused(void **state) {
  (void)state;
  const size_t n = ((size_t)64 << 20) + 2;
  char *const text = malloc(n);
  memset(text, 'x', n);
  sn_reader *r = NULL;
  sn_span line;
  bool more = false;
  sn_err err = {0};
  assert_int_equal(sn_reader_memory(text, n, "big", &r, NULL), SN_OK);
  assert_int_equal(sn_read_line(r, &line, &more, &err), SN_ELIMIT);
  assert_non_null(strstr(err.msg, "big:1: a line of more than 64 MiB"));
  sn_reader_destroy(r);
  free(text);
}

static void reader_faults_name_the_file(void **state) {
  const fixture *const f = *state;
  sn_reader *r = NULL;
  sn_err err = {0};
  assert_int_equal(sn_reader_open("/does/not/exist", &r, &err), SN_EIO);
  assert_null(r);
  assert_string_equal(err.msg,
                      "cannot open '/does/not/exist': No such file or "
                      "directory");
  sn_err_clear(&err);
  assert_int_equal(sn_reader_open(f->dir, &r, &err), SN_EIO);
  assert_non_null(strstr(err.msg, "is a directory"));
  sn_err_clear(&err);
  sn_span line;
  bool more = false;
  assert_int_equal(sn_reader_memory("a\nb\n", 4, "x.txt", &r, NULL), SN_OK);
  assert_int_equal(sn_read_line(r, &line, &more, NULL), SN_OK);
  assert_int_equal(sn_read_line(r, &line, &more, NULL), SN_OK);
  assert_int_equal(sn_reader_fail(r, &err, "bad %s", "word"), SN_EFORMAT);
  assert_string_equal(err.msg, "x.txt:2: bad word");
  sn_reader_destroy(r);
}

/* ---- gzip ---- */

static sn_status drain(const void *data, size_t n, sn_err *err) {
  sn_reader *r = NULL;
  char part[4096];
  size_t got = 1;
  sn_status s = sn_reader_memory(data, n, "x.gz", &r, err);
  while (s == SN_OK && got > 0) s = sn_read_some(r, part, 4096, &got, err);
  sn_reader_destroy(r);
  return s;
}

static void gzip_data_cut_anywhere_are_refused(void **state) {
  const fixture *const f = *state;
  char text[3000];
  sn_rng rng;
  sn_rng_init(&rng, 1);
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (char)('a' + sn_rng_below(&rng, 4));
  put(f->gz, text, sizeof text);
  sn_map m;
  assert_int_equal(sn_map_open(f->gz, &m, NULL), SN_OK);
  assert_int_equal(drain(m.data, m.n, NULL), SN_OK);
  for (size_t n = 2; n < m.n; n++) {
    sn_err err = {0};
    char part[64];
    assert_int_equal(drain(m.data, n, &err), SN_EFORMAT);
    snprintf(part, sizeof part, "ends at byte %zu", n);
    if (strstr(err.msg, part) == NULL) fail_msg("%s", err.msg);
  }
  sn_map_close(&m);
}

/* Some bits carry nothing: time, system, those that fill up the last byte. */
static void expect_text(const void *gz, size_t n, const char *text,
                        size_t n_text) {
  sn_reader *r = NULL;
  char got[4096];
  int end = 0;
  assert_true(n_text <= sizeof got);
  assert_int_equal(sn_reader_memory(gz, n, "x.gz", &r, NULL), SN_OK);
  assert_int_equal(sn_read_bytes(r, got, n_text, NULL), SN_OK);
  assert_memory_equal(got, text, n_text);
  assert_int_equal(sn_read_peek(r, &end, NULL), SN_OK);
  assert_int_equal(end, -1);
  sn_reader_destroy(r);
}

static void altered_gzip_data_are_refused_or_harmless(void **state) {
  const fixture *const f = *state;
  char text[3000];
  memset(text, 'x', sizeof text);
  put(f->gz, text, sizeof text);
  sn_map m;
  assert_int_equal(sn_map_open(f->gz, &m, NULL), SN_OK);
  unsigned char copy[4096];
  assert_true(m.n < sizeof copy);
  size_t refused = 0;
  for (size_t i = 2; i < m.n; i++)
    for (int bit = 0; bit < 8; bit++) {
      memcpy(copy, m.data, m.n);
      copy[i] = (unsigned char)(copy[i] ^ 1u << bit);
      const sn_status s = drain(copy, m.n, NULL);
      assert_true(s == SN_OK || s == SN_EFORMAT);
      refused += s == SN_EFORMAT;
      if (s == SN_OK) expect_text(copy, m.n, text, sizeof text);
    }
  assert_true(refused > 8 * m.n / 2);
  sn_map_close(&m);
}

static void gzip_members_follow_each_other(void **state) {
  const fixture *const f = *state;
  put(f->gz, "one\n", 4);
  sn_map m;
  assert_int_equal(sn_map_open(f->gz, &m, NULL), SN_OK);
  unsigned char twice[256];
  memcpy(twice, m.data, m.n);
  memcpy(twice + m.n, m.data, m.n);
  memset(twice + 2 * m.n, 0, 16); /* what tapes are padded with */
  const size_t n = 2 * m.n + 16;
  sn_map_close(&m);
  sn_reader *r = NULL;
  assert_int_equal(sn_reader_memory(twice, n, "x.gz", &r, NULL), SN_OK);
  expect_lines(r, "one\none\n", 8);
  sn_reader_destroy(r);
  twice[n - 1] = 'x';
  sn_err err = {0};
  assert_int_equal(drain(twice, n, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "is not gzip"));
}

/* ---- zstd ---- */

/* Two frames of 3000 letters in all; the caller's array. */
static size_t make_zstd(const char *text, unsigned char *out, size_t n_out) {
  const size_t a = ZSTD_compress(out, n_out, text, 1000, 3);
  assert_false(ZSTD_isError(a));
  const size_t b = ZSTD_compress(out + a, n_out - a, text + 1000, 2000, 3);
  assert_false(ZSTD_isError(b));
  return a + b;
}

static void zstd_frames_follow_each_other_and_may_not_be_cut(void **state) {
  (void)state;
  char text[3000];
  sn_rng rng;
  sn_rng_init(&rng, 1);
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (char)('a' + sn_rng_below(&rng, 4));
  unsigned char packed[8192];
  const size_t n = make_zstd(text, packed, sizeof packed);
  const size_t first = ZSTD_findFrameCompressedSize(packed, n);
  expect_text(packed, n, text, sizeof text);
  for (size_t i = 4; i < n; i++) {
    if (i == first) continue; /* one whole frame */
    sn_err err = {0};
    assert_int_equal(drain(packed, i, &err), SN_EFORMAT);
    assert_non_null(strstr(err.msg, "zstd data"));
  }
  packed[first] ^= 0xFF; /* what follows is no frame */
  assert_int_equal(drain(packed, n, NULL), SN_EFORMAT);
}

/* ---- Writing ---- */

static void an_uncommitted_writer_leaves_the_old_file(void **state) {
  const fixture *const f = *state;
  put(f->path, "old", 3);
  sn_writer *w = NULL;
  assert_int_equal(sn_writer_open(f->path, &w, NULL), SN_OK);
  assert_int_equal(sn_writef(w, NULL, "%s", "new"), SN_OK);
  expect_content(f->path, "old");
  sn_writer_destroy(w);
  expect_content(f->path, "old");
  put(f->path, "new", 3);
  expect_content(f->path, "new");
}

static void a_killed_run_leaves_the_old_file(void **state) {
  const fixture *const f = *state;
  put(f->path, "old", 3);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    sn_writer *w = NULL;
    static char big[200000];
    if (sn_writer_open(f->path, &w, NULL) == SN_OK &&
        sn_write_bytes(w, big, sizeof big, NULL) == SN_OK)
      (void)kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
  expect_content(f->path, "old");
  char temporary[160];
  snprintf(temporary, sizeof temporary, "%s.tmp-%ld", f->path, (long)child);
  assert_int_equal(unlink(temporary), 0); /* all that it left */
}

static void two_writers_of_one_file_do_not_mix(void **state) {
  const fixture *const f = *state;
  sn_writer *a = NULL, *b = NULL;
  assert_int_equal(sn_writer_open(f->path, &a, NULL), SN_OK);
  assert_int_equal(sn_writer_open(f->path, &b, NULL), SN_OK);
  assert_int_equal(sn_writef(a, NULL, "first"), SN_OK);
  assert_int_equal(sn_writef(b, NULL, "second"), SN_OK);
  assert_int_equal(sn_writer_commit(a, NULL), SN_OK);
  expect_content(f->path, "first");
  assert_int_equal(sn_writer_commit(b, NULL), SN_OK);
  expect_content(f->path, "second");
  sn_writer_destroy(a);
  sn_writer_destroy(b);
}

static void a_full_disk_is_named_and_cleaned_up(void **state) {
  const fixture *const f = *state;
  put(f->path, "old", 3);
  (void)signal(SIGXFSZ, SIG_IGN);
  struct rlimit old, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = old;
  small.rlim_cur = 100000;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  sn_writer *w = NULL;
  sn_err err = {0};
  static char part[30000];
  sn_status s = sn_writer_open(f->path, &w, &err);
  for (int i = 0; s == SN_OK && i < 100; i++)
    s = sn_write_bytes(w, part, sizeof part, &err);
  const sn_status committed = sn_writer_commit(w, NULL);
  sn_writer_destroy(w);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(s, SN_EIO);
  assert_int_equal(committed, SN_EIO);
  if (strstr(err.msg, f->path) == NULL ||
      strstr(err.msg, "at byte 100000: File too large; raise the limit") ==
          NULL)
    fail_msg("%s", err.msg);
  expect_content(f->path, "old");
}

static void a_device_that_is_full_says_so(void **state) {
  (void)state;
  sn_writer *w = NULL;
  sn_err err = {0};
  if (access("/dev/full", W_OK) != 0) {
    print_message("SKIPPED: no /dev/full\n");
    skip();
  }
  assert_int_equal(sn_writer_open("/dev/full", &w, NULL), SN_OK);
  assert_int_equal(sn_writef(w, NULL, "x"), SN_OK);
  assert_int_equal(sn_writer_commit(w, &err), SN_EIO);
  assert_string_equal(err.msg,
                      "cannot write '/dev/full' at byte 0: No space left on "
                      "device; free some space, or write to another disk");
  sn_writer_destroy(w);
}

static void permissions_are_those_of_the_umask(void **state) {
  const fixture *const f = *state;
  static const mode_t masks[] = {022, 077, 002};
  for (size_t i = 0; i < 3; i++) {
    const mode_t old = umask(masks[i]);
    put(f->path, "x", 1);
    (void)umask(old);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666 & ~masks[i]);
  }
}

static void a_symbolic_link_stays_one(void **state) {
  const fixture *const f = *state;
  struct stat st;
  assert_int_equal(symlink("file", f->link), 0); /* dangling at first */
  for (int i = 0; i < 2; i++) {
    put(f->link, i ? "two" : "one", 3);
    assert_int_equal(lstat(f->link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(lstat(f->path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    expect_content(f->path, i ? "two" : "one");
  }
  assert_int_equal(unlink(f->link), 0);
  assert_int_equal(symlink("link", f->link), 0);
  sn_writer *w = NULL;
  sn_err err = {0};
  assert_int_equal(sn_writer_open(f->link, &w, &err), SN_EIO);
  assert_non_null(strstr(err.msg, "links go round"));
}

static void what_is_no_file_is_written_directly(void **state) {
  const fixture *const f = *state;
  put("/dev/null", "x", 1);
  struct stat st;
  assert_int_equal(stat("/dev/null", &st), 0);
  assert_true(S_ISCHR(st.st_mode));
  assert_int_equal(mkfifo(f->path, 0600), 0);
  const int fd = open(f->path, O_RDONLY | O_NONBLOCK);
  assert_true(fd >= 0);
  put(f->path, "through", 7);
  char got[8] = "";
  assert_int_equal(read(fd, got, sizeof got), 7);
  assert_string_equal(got, "through");
  (void)close(fd);
}

static void writer_faults_name_the_file(void **state) {
  const fixture *const f = *state;
  sn_writer *w = NULL;
  sn_err err = {0};
  assert_int_equal(sn_writer_open("/does/not/exist", &w, &err), SN_EIO);
  assert_null(w);
  assert_non_null(strstr(err.msg, "cannot write '/does/not/exist'"));
  sn_err_clear(&err);
  assert_int_equal(sn_writer_open(f->dir, &w, &err), SN_EIO);
  assert_non_null(strstr(err.msg, "is a directory"));
}

static sn_status write_and_read(const fixture *f) {
  sn_writer *w = NULL;
  sn_reader *r = NULL;
  char *data = NULL;
  size_t n = 0;
  sn_status s = sn_writer_open(f->gz, &w, NULL);
  if (s == SN_OK) s = sn_writef(w, NULL, "%d\n", 5);
  if (s == SN_OK) s = sn_writer_commit(w, NULL);
  sn_writer_destroy(w);
  if (s == SN_OK) s = sn_file_read(f->gz, &data, &n, NULL);
  if (s == SN_OK) s = sn_reader_memory(data, n, "m", &r, NULL);
  sn_span line;
  bool more;
  if (s == SN_OK) s = sn_read_line(r, &line, &more, NULL);
  sn_reader_destroy(r);
  sn_free(data);
  return s;
}

static void out_of_memory_anywhere_is_a_status(void **state) {
  const fixture *const f = *state;
  const long before = sn_mem_live();
  for (long k = 0;; k++) {
    sn_mem_fail_after(k);
    const sn_status s = write_and_read(f);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    assert_int_equal(sn_mem_live(), before);
    if (!fired) break;
  }
}

/* ---- Files, folders, paths ---- */

static void folders_are_made_with_their_parents(void **state) {
  const fixture *const f = *state;
  char deep[256], middle[128], blocked[160];
  snprintf(middle, sizeof middle, "%s/a", f->dir);
  snprintf(deep, sizeof deep, "%s//b/c/", middle);
  assert_int_equal(sn_dir_make(deep, NULL), SN_OK);
  assert_int_equal(sn_dir_make(deep, NULL), SN_OK);
  assert_true(sn_dir_exists(deep));
  assert_false(sn_file_exists(deep));
  assert_int_equal(rmdir(deep), 0);
  snprintf(deep, sizeof deep, "%s/b", middle);
  assert_int_equal(rmdir(deep), 0);
  assert_int_equal(rmdir(middle), 0);
  put(f->path, "x", 1);
  assert_true(sn_file_exists(f->path));
  assert_false(sn_dir_exists(f->path));
  snprintf(blocked, sizeof blocked, "%s/x/y", f->path);
  sn_err err = {0};
  assert_int_equal(sn_dir_make(blocked, &err), SN_EIO);
  assert_non_null(strstr(err.msg, "cannot make the folder"));
  assert_int_equal(sn_dir_make("", NULL), SN_EIO);
}

static void paths_are_joined_and_cut(void **state) {
  (void)state;
  static const char *const joined[][3] = {
      {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
  for (size_t i = 0; i < 4; i++) {
    char *const p = sn_path_join(joined[i][0], joined[i][1]);
    assert_string_equal(p, joined[i][2]);
    sn_free(p);
  }
  assert_string_equal(sn_path_base("/a/b.c"), "b.c");
  assert_string_equal(sn_path_base("b"), "b");
  assert_string_equal(sn_path_base("a/"), "");
}

static void a_map_is_the_file(void **state) {
  const fixture *const f = *state;
  put(f->path, "abc", 3);
  sn_map m;
  assert_int_equal(sn_map_open(f->path, &m, NULL), SN_OK);
  assert_int_equal(m.n, 3);
  assert_memory_equal(m.data, "abc", 3);
  put(f->path, "other", 5); /* replaced by rename: the map stays */
  assert_memory_equal(m.data, "abc", 3);
  sn_map_close(&m);
  assert_null(m.data);
  sn_map_close(&m);
  put(f->path, "", 0);
  assert_int_equal(sn_map_open(f->path, &m, NULL), SN_OK);
  assert_true(m.data == NULL && m.n == 0);
  sn_map_close(&m);
  assert_int_equal(sn_map_open("/does/not/exist", &m, NULL), SN_EIO);
  assert_int_equal(sn_map_open(f->dir, &m, NULL), SN_EIO);
  assert_int_equal(sn_map_open("/dev/null", &m, NULL), SN_EIO);
}

static void the_checksum_is_that_of_ieee_802_3(void **state) {
  (void)state;
  /* The check value of every catalogue of CRCs. */
  assert_true(sn_crc32(0, "123456789", 9) == 0xCBF43926u);
  assert_true(sn_crc32(sn_crc32(0, "1234", 4), "56789", 5) == 0xCBF43926u);
  assert_true(sn_crc32(7, NULL, 0) == 7);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(lines_are_those_of_the_text_from_any_source),
      TEST(bytes_are_read_in_pieces_of_any_size),
      TEST(nothing_has_no_lines),
      TEST(a_nul_byte_stays_in_its_line),
      TEST(a_file_of_one_endless_line_is_refused),
      TEST(reader_faults_name_the_file),
      TEST(gzip_data_cut_anywhere_are_refused),
      TEST(altered_gzip_data_are_refused_or_harmless),
      TEST(gzip_members_follow_each_other),
      TEST(zstd_frames_follow_each_other_and_may_not_be_cut),
      TEST(an_uncommitted_writer_leaves_the_old_file),
      TEST(a_killed_run_leaves_the_old_file),
      TEST(two_writers_of_one_file_do_not_mix),
      TEST(a_full_disk_is_named_and_cleaned_up),
      TEST(a_device_that_is_full_says_so),
      TEST(permissions_are_those_of_the_umask),
      TEST(a_symbolic_link_stays_one),
      TEST(what_is_no_file_is_written_directly),
      TEST(writer_faults_name_the_file),
      TEST(out_of_memory_anywhere_is_a_status),
      TEST(folders_are_made_with_their_parents),
      TEST(paths_are_joined_and_cut),
      TEST(a_map_is_the_file),
      TEST(the_checksum_is_that_of_ieee_802_3),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
