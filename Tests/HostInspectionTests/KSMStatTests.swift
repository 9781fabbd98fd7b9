import KSMPolicy
import Testing

@testable import HostInspection

@Suite struct KSMStatTests {
    @Test(arguments: [
        ("ksm_merge_any: yes\n", true), ("ksm_mergeable: yes\n", true),
        ("ksm_merge_any: no\nksm_mergeable: no\n", false),
        ("ksm_rmap_items 1\n", true), ("ksm_rmap_items 0\n", false), ("ksm_merging_pages 1\n", true),
        ("ksm_merging_pages 0\n", false), ("ksm_zero_pages 5\nksm_process_profit -64\n", false), ("", false),
        ("ksm_mergeable: yes", true), ("ksm_mergeable:yes\nksm_rmap_items\n", false),
    ])
    func `A process offers memory that says so, or has what only that brings`(text: String, isOffered: Bool) {
        #expect(KSMStat(parsing: Array(text.utf8)).isOffered == isOffered)
    }

    @Test func `Each line is a name and a number, which may be below zero`() {
        let stat = KSMStat(parsing: Array("ksm_rmap_items 7\nksm_zero_pages 3\nother 9\nksm_process_profit -64\n".utf8))
        #expect(stat.items == 7)
        #expect(stat.zeroPages == 3)
        #expect(stat.profit == -64)
        #expect(stat.mergingPages == nil)
        #expect(stat.offersAll == nil)
    }
}
