internal import Glibc

/// What a program does about signals from its first step on, whatever its parent left it.
package enum InheritedSignals {
    package static func settle() {
        // A reader that has gone, and a limit of the size of files, are errors of the write.
        _ = signal(SIGPIPE, SIG_IGN)
        _ = signal(SIGXFSZ, SIG_IGN)
        // Where it is ignored no child leaves a status, and each write by one would seem to have failed.
        _ = signal(SIGCHLD, SIG_DFL)
    }
}
