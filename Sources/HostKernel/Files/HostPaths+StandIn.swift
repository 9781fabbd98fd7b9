internal import Glibc

extension HostPaths {
    /// Makes sure that a file which is about to be written lies in the tree that stands for a host, and not on the host
    /// itself, where an absolute link or `..` would lead: Debian's `/var/run` is a link to `/run`.
    ///
    /// Nothing is asked where the host is meant, nor of a character device, of which no file of the host is made another.
    ///
    /// - Parameter path: As it was made by this value.
    /// - Throws: ``KernelFileError``; its cause is ``KernelFileError/Cause/outside`` where the file lies elsewhere.
    package func requireInside(_ path: String, for operation: KernelFileError.Operation) throws(KernelFileError) {
        guard isStandIn else { return }
        let (tree, place): (String, String)
        do throws(KernelFileError) {
            (tree, place) = (try Self.destination(root), try Self.destination(path))
        } catch {
            // Whoever opens it is told the same.
            if error.errno == ENAMETOOLONG || error.errno == ELOOP { return }
            throw error
        }
        guard tree != "/", place != tree, !place.hasPrefix(tree + "/"), HostFile.kind(path) != S_IFCHR else { return }
        throw KernelFileError(
            operation, path, errno: 0,
            detail: "it leads out of the tree of --root, to \(place), by a link or by \"..\" in it", cause: .outside)
    }

    /// Where a path leads, through links and `..`. What does not exist yet lies where it would be made.
    private static func destination(_ path: String, links: Int = 0) throws(KernelFileError) -> String {
        if let real = HostFile.realPath(path) { return real }
        let failure = KernelFileError(.open, path, errno: errno)
        guard failure.isMissing else { throw failure }
        guard links < 40 else { throw KernelFileError(.open, path, errno: ELOOP) }
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else {
            return try destination("./" + path, links: links)
        }
        let name = path[path.utf8.index(after: slash)...]
        let folder = try destination(slash == path.startIndex ? "/" : String(path[..<slash]), links: links)
        if name.isEmpty || name == "." { return folder }
        if name == ".." {
            let above = folder[..<(folder.utf8.lastIndex(of: UInt8(ascii: "/")) ?? folder.startIndex)]
            return above.isEmpty ? "/" : String(above)
        }
        let whole = (folder == "/" ? "" : folder) + "/" + name
        guard let target = link(whole) else { return whole }
        return try destination(target.hasPrefix("/") ? target : folder + "/" + target, links: links + 1)
    }

    /// What a link says; `nil` for what is none.
    private static func link(_ path: String) -> String? {
        var text = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let length = unsafe readlink(path, &text, text.count - 1)
        return length < 0 ? nil : String(decoding: text.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
