internal import Glibc

/// Standard output and standard error.
package enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    package func write(_ text: String) throws(KernelFileError) {
        var offset = 0
        let bytes = Array(text.utf8)
        while offset < bytes.count {
            let put = unsafe bytes.withUnsafeBytes { bytes in
                unsafe Glibc.write(rawValue, bytes.baseAddress! + offset, bytes.count - offset)
            }
            guard put > 0 else { throw KernelFileError(.write, "standard output", errno: errno) }
            offset += put
        }
    }
}
