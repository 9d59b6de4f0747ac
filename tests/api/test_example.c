/* SPDX-License-Identifier: Apache-2.0 */
/* egs/c-api/live.c, compiled against senone.h and the shared library, prints
 * what was said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/api/fixture.h"

static fixture fix;

static void test_example_prints_the_words_of_a_stream(void **state) {
  (void)state;
  char pcm[96], out[96], command[400], line[256];
  (void)snprintf(pcm, sizeof pcm, "%s/pcm", fix.dir);
  (void)snprintf(out, sizeof out, "%s/out", fix.dir);
  FILE *const f = fopen(pcm, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(fix.cards[0], 2, fix.n_cards[0], f), fix.n_cards[0]);
  assert_int_equal(fclose(f), 0);
  (void)snprintf(command, sizeof command, "'%s' '%s' 16000 < '%s' > '%s'",
                 EXAMPLE, fix.dir, pcm, out);
  assert_int_equal(system(command), 0);
  FILE *const r = fopen(out, "r");
  assert_non_null(r);
  assert_non_null(fgets(line, sizeof line, r));
  (void)fclose(r);
  assert_non_null(strstr(line, "of clubs\n"));
}

int main(void) {
  fixture_init(&fix);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_example_prints_the_words_of_a_stream),
  };
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  fixture_clear(&fix);
  return failed;
}
