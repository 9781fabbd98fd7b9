#include "mutants.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Of the run alone: each has a mount namespace with a folder of its own here. No variable of the environment, since the
   tests give the programs another one. */
#define NUMBER "/mnt/mutant"
#define REACHED "/mnt/reached/"

int mutants_state;
static unsigned char reached[1 << 16];

__attribute__((constructor)) static void read_number(void) {
    char text[16];
    int file = open(NUMBER, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0) return;
    text[size] = 0;
    mutants_state = atoi(text);
}

/* Each place once per process, at once: a process may end in any way. As an empty file of its name: the process may be one
   whose files are limited in their size. */
static void note(int number) {
    char path[sizeof REACHED + 16];
    snprintf(path, sizeof path, REACHED "%d", number);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (file >= 0) close(file);
}

bool mutants_ask(int number) {
    if (mutants_state > 0) return number == mutants_state;
    if (number < (int)sizeof reached && !reached[number]) {
        reached[number] = 1;
        note(number);
    }
    return false;
}
