internal import CLinux
internal import Glibc

/// A small file that is replaced often, as a whole: a reader sees either the old text or the new one.
///
/// The usual way, a new file renamed over the old one, makes the file system create and delete a file each time, which
/// costs more than all else of a tick. Here two files change places (rename(2), `RENAME_EXCHANGE`): the hidden one is
/// written, then they are exchanged, twenty times cheaper. What a reader has opened keeps its text until the text
/// after the next.
package struct PublishedFile: ~Copyable {
    private let path: String
    private let hiddenPath: String
    /// The file behind `path`, and the one to be written next; -1 for none.
    private var shown: Int32 = -1
    private var hidden: Int32 = -1

    package init(_ path: String) {
        self.path = path
        hiddenPath = HostFile.hiddenName(of: path)
    }

    deinit {
        if shown >= 0 { close(shown) }
        if hidden >= 0 { close(hidden) }
    }

    /// Replaces the text.
    ///
    /// - Throws: ``KernelFileError``; the old text stays, and the next attempt begins afresh.
    package mutating func publish(_ bytes: Span<UInt8>) throws(KernelFileError) {
        do throws(KernelFileError) {
            try write(bytes)
            try exchange()
        } catch {
            forget()
            throw error
        }
    }

    /// Removes it, at the end of an orderly life, but for what somebody else put in its place.
    package borrowing func remove() {
        if !Self.isReplaced(shown, at: path) { _ = unsafe unlink(path) }
        removeHidden()
    }

    /// Leaves the last text alone, without the file that the next one would be written to.
    package borrowing func removeHidden() {
        if !Self.isReplaced(hidden, at: hiddenPath) { _ = unsafe unlink(hiddenPath) }
    }

    /// - Parameter number: One of the two files, or -1.
    private static func isReplaced(_ number: Int32, at path: String) -> Bool {
        number >= 0 && (try? FileDescriptor.isReplaced(number, at: path)) == true
    }

    /// An editor, or whoever puts back a copy of the folder, has other files in the place of these: exchanged with one
    /// another, these would be shown no more, and the other ones in turns.
    private mutating func forgetReplaced() {
        if Self.isReplaced(shown, at: path) {
            close(shown)
            shown = -1
        }
        if Self.isReplaced(hidden, at: hiddenPath) {
            close(hidden)
            hidden = -1
        }
    }

    private mutating func write(_ bytes: Span<UInt8>) throws(KernelFileError) {
        forgetReplaced()
        if hidden < 0 { try openHidden() }
        try FileDescriptor.writeAll(bytes, to: hidden, at: 0, path: path)
        guard ftruncate(hidden, off_t(bytes.count)) == 0 else { throw KernelFileError(.write, path, errno: errno) }
    }

    /// Whatever lies there, which may be a pipe or a link, gives way to a file of this process's own; only a folder does
    /// not.
    private mutating func openHidden() throws(KernelFileError) {
        guard unsafe unlink(hiddenPath) == 0 || errno == ENOENT else {
            throw KernelFileError(.create, hiddenPath, errno: errno)
        }
        hidden = unsafe open(hiddenPath, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard hidden >= 0 else { throw KernelFileError(.create, hiddenPath, errno: errno) }
    }

    private mutating func exchange() throws(KernelFileError) {
        if shown >= 0, unsafe linux_exchange(hiddenPath, path) == 0 {
            swap(&shown, &hidden)
            return
        }
        // The first time; or somebody removed the file; or the file system cannot exchange.
        guard unsafe rename(hiddenPath, path) == 0 else { throw KernelFileError(.replace, path, errno: errno) }
        if shown >= 0 { close(shown) }
        shown = hidden
        hidden = -1
    }

    private mutating func forget() {
        if shown >= 0 { close(shown) }
        if hidden >= 0 { close(hidden) }
        shown = -1
        hidden = -1
    }
}
