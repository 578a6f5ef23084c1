/* The commands that everybody runs in `benchmarks/run --peers`, by the name that this is started under:
 *
 *   server --port N    a service that waits; marks N when it begins, and -N when it is asked to end
 *   mark N             a task: marks N
 *   ready N            a probe: marks N, and fails, so that it is asked again
 *   flood              waits until the FIFO `go` is opened, marks 1, and writes 4096 blocks of 64 KiB
 *
 * To mark is to write a number and the time of the monotonic clock into the FIFO $BENCH_ROOM/marks, which is the proof
 * that the work was done, and says when. Static, so that its own start costs little beside what is compared. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 65536, BLOCKS = 4096 };

static int open_in_room(const char *name, int flags) {
    const char *room = getenv("BENCH_ROOM");
    char path[4096];
    if (room == NULL || snprintf(path, sizeof path, "%s/%s", room, name) >= (int)sizeof path)
        return -1;
    return open(path, flags | O_CLOEXEC);
}

static int mark(long number) {
    struct timespec now;
    char text[64];
    clock_gettime(CLOCK_MONOTONIC, &now);
    int size = snprintf(text, sizeof text, "%ld %lld\n", number, now.tv_sec * 1000000000LL + now.tv_nsec);
    int fifo = open_in_room("marks", O_WRONLY);
    if (fifo < 0 || write(fifo, text, size) != size)
        return 1;
    close(fifo);
    return 0;
}

static int serve(long number) {
    sigset_t ends;
    int signal_number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_SETMASK, &ends, NULL);
    if (mark(number) != 0)
        return 1;
    sigwait(&ends, &signal_number);
    return mark(-number);
}

/* A block is one line that ends in its number, so that whoever adds a prefix to each line adds little. */
static int flood(void) {
    static char block[BLOCK];
    char end;
    int go = open_in_room("go", O_RDONLY);
    if (go < 0 || read(go, &end, 1) != 0 || mark(1) != 0) /* it ends when it is closed again */
        return 1;
    memset(block, 'x', BLOCK);
    for (int number = 1; number <= BLOCKS; number++) {
        char tail[16];
        memcpy(block + BLOCK - 16, tail, snprintf(tail, sizeof tail, " block %08d", number));
        block[BLOCK - 1] = '\n';
        for (int done = 0; done < BLOCK;) {
            ssize_t size = write(STDOUT_FILENO, block + done, BLOCK - done);
            if (size < 0)
                return 1;
            done += size;
        }
    }
    for (;;)
        pause(); /* as a service does: its end is not measured */
}

int main(int count, char **words) {
    const char *slash = strrchr(words[0], '/');
    const char *name = slash == NULL ? words[0] : slash + 1;
    if (strcmp(name, "server") == 0 && count == 3)
        return serve(atol(words[2]));
    if (strcmp(name, "mark") == 0 && count == 2)
        return mark(atol(words[1]));
    if (strcmp(name, "ready") == 0 && count == 2)
        return mark(atol(words[1])) == 0 ? 1 : 2;
    if (strcmp(name, "flood") == 0 && count == 1)
        return flood();
    fprintf(stderr, "usage: server --port N, mark N, ready N, or flood\n");
    return 2;
}
