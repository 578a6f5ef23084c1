/* The least that the machine takes for the work of `benchmarks/run --peers`: what a supervisor does, without a supervisor.
 *
 *   floor services N    starts N services, waits for SIGTERM, passes it on, and waits for their end
 *   floor chain N       runs `mark 1` to `mark N`, one after the other
 *   floor tasks N       runs `mark 1` to `mark N`, all at once
 *   floor probes N      starts N services, and runs `ready 1` to `ready N` each second, all at once, which fail */

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static pid_t spawn(char **words) {
    pid_t pid;
    posix_spawnattr_t as;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&as);
    posix_spawnattr_setsigmask(&as, &none);
    posix_spawnattr_setflags(&as, POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawnp(&pid, words[0], NULL, &as, words, environ);
    if (error != 0) {
        fprintf(stderr, "floor: cannot start %s: %s\n", words[0], strerror(error));
        exit(1);
    }
    return pid;
}

static pid_t run(char *name, int number) {
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    return spawn((char *[]){name, text, NULL});
}

static pid_t serve(int number) {
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    return spawn((char *[]){"server", "--port", text, NULL});
}

static void reap(int count, int wanted) {
    for (int status; count > 0; count--)
        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != wanted)
            exit(1);
}

int main(int count, char **words) {
    if (count != 3) {
        fprintf(stderr, "usage: floor services|chain|tasks|probes N\n");
        return 2;
    }
    int many = atoi(words[2]);
    pid_t *services = calloc(many, sizeof *services);
    if (strcmp(words[1], "chain") == 0) {
        for (int number = 1; number <= many; number++) {
            run("mark", number);
            reap(1, 0);
        }
        return 0;
    }
    if (strcmp(words[1], "tasks") == 0) {
        for (int number = 1; number <= many; number++)
            run("mark", number);
        reap(many, 0);
        return 0;
    }
    sigset_t ends;
    int signal_number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    for (int number = 1; number <= many; number++)
        services[number - 1] = serve(number);
    if (strcmp(words[1], "probes") == 0) {
        struct timespec next;
        clock_gettime(CLOCK_MONOTONIC, &next);
        for (;;) {
            next.tv_sec++;
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
            for (int number = 1; number <= many; number++)
                run("ready", number);
            reap(many, 1);
        }
    }
    sigwait(&ends, &signal_number);
    for (int number = 0; number < many; number++)
        kill(services[number], SIGTERM);
    reap(many, 0);
    return 0;
}
