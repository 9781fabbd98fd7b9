import ArgumentParser

struct PlanCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "plan") }
struct SimulateCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "simulate") }
