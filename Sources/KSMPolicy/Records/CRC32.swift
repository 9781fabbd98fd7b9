/// The checksum of Ethernet, gzip and zlib: the polynomial 0x04C11DB7, reflected.
package enum CRC32 {
    package static func of(_ bytes: Span<UInt8>) -> UInt32 {
        var sum = UInt32.max
        for index in bytes.indices {
            sum ^= UInt32(bytes[index])
            // Without a table: a record is written once a minute, and a table would be a page of memory.
            for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0xEDB8_8320 }
        }
        return ~sum
    }
}
