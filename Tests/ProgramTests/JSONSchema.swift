import Foundation

/// The part of JSON Schema that the project's own schemas use: `type`, `enum`, `const`, `properties`, `required`, `items`,
/// `minimum`, and `$ref` to `#/$defs/`.
///
/// The schemas allow further keys, so that whoever checks by them accepts those to come. The project's own output has none
/// that they do not describe: one is a problem here.
///
/// A keyword that it does not know is an error of the schema, so that none is passed over in silence.
struct JSONSchema {
    private let root: [String: Any]

    /// - Parameter name: Of a file in the project's folder `schema`, without its suffix.
    init(_ name: String, from file: String = #filePath) throws {
        let folder = URL(filePath: file).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let data = try Data(contentsOf: folder.appending(path: "schema/\(name).json"))
        root = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }

    /// - Returns: What is wrong, each with its place; empty for a text that is as the schema says.
    func problems(_ text: String) -> [String] {
        guard let value = try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed) else {
            return ["it is no JSON"]
        }
        return check(value, root, "$")
    }

    private static let annotations: Set = ["$schema", "$id", "$defs", "title", "description", "examples"]

    private func check(_ value: Any, _ schema: [String: Any], _ place: String) -> [String] {
        var problems: [String] = []
        for (keyword, rule) in schema where !Self.annotations.contains(keyword) {
            switch keyword {
            case "$ref":
                let name = (rule as? String ?? "").replacing("#/$defs/", with: "")
                guard let other = (root["$defs"] as? [String: Any])?[name] as? [String: Any] else {
                    problems.append("\(place): the schema has no \(rule)")
                    continue
                }
                problems += check(value, other, place)
            case "type":
                let types = rule as? [String] ?? [rule as? String ?? ""]
                if !types.contains(where: { Self.is(value, $0) }) {
                    problems.append("\(place): \(value) is no \(types)")
                }
            case "enum":
                let values = rule as? [Any] ?? []
                if !values.contains(where: { Self.equal($0, value) }) {
                    problems.append("\(place): \(value) is not one of \(values)")
                }
            case "const": if !Self.equal(rule, value) { problems.append("\(place): \(value) is not \(rule)") }
            case "minimum":
                if let least = rule as? Double, let number = value as? Double, number < least {
                    problems.append("\(place): \(number) is below \(least)")
                }
            case "required":
                for name in rule as? [String] ?? [] where (value as? [String: Any])?[name] == nil {
                    problems.append("\(place): \(name) is missing")
                }
            case "properties":
                let known = rule as? [String: [String: Any]] ?? [:]
                for (name, member) in value as? [String: Any] ?? [:] {
                    if let schema = known[name] {
                        problems += check(member, schema, "\(place).\(name)")
                    } else {
                        problems.append("\(place): \(name) is not in the schema")
                    }
                }
            case "items":
                guard let schema = rule as? [String: Any] else { continue }
                for (index, member) in (value as? [Any] ?? []).enumerated() {
                    problems += check(member, schema, "\(place)[\(index)]")
                }
            default: problems.append("the schema's keyword \(keyword) is not known here")
            }
        }
        return problems
    }

    private static func `is`(_ value: Any, _ type: String) -> Bool {
        let isBoolean = (value as? NSNumber).map { isBooleanNumber($0) } ?? false
        switch type {
        case "object": return value is [String: Any]
        case "array": return value is [Any]
        case "string": return value is String
        case "boolean": return isBoolean
        case "null": return value is NSNull
        // A large integer is no exact Double.
        case "integer": return !isBoolean && (value is Int64 || (value as? Double).map { $0 == $0.rounded() } ?? false)
        case "number": return !isBoolean && value is NSNumber
        default: return false
        }
    }

    private static func isBooleanNumber(_ number: NSNumber) -> Bool {
        unsafe String(cString: number.objCType) == "c"
    }

    private static func equal(_ left: Any, _ right: Any) -> Bool {
        (left as? NSObject)?.isEqual(right) ?? false
    }
}
