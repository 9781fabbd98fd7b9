import HostFixtures
import HostKernel
import Testing

@Suite struct ProcessListingTests {
    private func look(_ listing: inout ProcessListing) throws -> [Int32] {
        var pids: [Int32] = []
        try listing.refresh { pids.append($0) }
        return pids
    }

    @Test func `Processes are the folders whose names are their numbers`() throws {
        let host = FakeHost()
        // The last is 10 in 32 bits.
        for name in ["10", "9", "self", "1x", "0", "-5", "1 0", "99999999999", "4294967306"] {
            host.createFolder("proc/\(name)")
        }
        var listing = try ProcessListing(host.paths)
        #expect(try look(&listing) == [9, 10])
        #expect(listing.count == 2)
        for (pid, isThere) in [(8, false), (9, true), (10, true), (11, false)] as [(Int32, Bool)] {
            #expect(listing.contains(pid) == isThere)
        }
    }

    @Test func `A process is looked at twice when it is new, and again when it is forgotten`() throws {
        let host = FakeHost()
        host.createFolder("proc/10")
        var listing = try ProcessListing(host.paths)
        for pids in [[10], [10], []] as [[Int32]] { #expect(try look(&listing) == pids) }
        listing.forget()
        for pids in [[10], [10], []] as [[Int32]] { #expect(try look(&listing) == pids) }
    }
}
