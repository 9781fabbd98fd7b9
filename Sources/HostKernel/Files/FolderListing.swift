internal import Glibc

/// The names in a folder.
package enum FolderListing {
    /// Lists a folder once.
    ///
    /// - Returns: The names in no order, without `.` and `..`. Bytes that are no UTF-8 come as U+FFFD.
    /// - Throws: ``KernelFileError``; for a folder that is missing, ``KernelFileError/isMissing`` is true.
    package static func names(in path: String) throws(KernelFileError) -> [String] {
        guard let stream = unsafe opendir(path) else { throw KernelFileError(.list, path, errno: errno) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            // The end and a failure both give nothing; only a failure sets errno.
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw KernelFileError(.list, path, errno: errno) }
        return names
    }

    /// - Returns: As ``names(in:)``; `nil` where the folder is missing.
    package static func namesIfThere(in path: String) throws(KernelFileError) -> [String]? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in try names(in: path) }
    }
}
