#pragma once

#include <stdbool.h>

/* 0: every place as it was written. Above: the number of the mutant that is on. Below: none, and what is reached is
   noted. */
extern int mutants_state;

bool mutants_ask(int number);

/* Whether this mutant is on. */
static inline bool mutant(int number) {
    return __builtin_expect(mutants_state != 0, 0) && mutants_ask(number);
}
