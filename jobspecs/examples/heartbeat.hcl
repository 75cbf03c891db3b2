# A run every two seconds from the start of 2026 on.
job "heartbeat" {
  type = "batch"

  periodic {
    interval         = "R/2026-01-01T00:00:00Z/PT2S"
    prohibit_overlap = true
  }

  group "beat" {
    task "beat" {
      driver = "process"

      config {
        command = "node"
        args    = ["-e", "console.log('beat', Date.now())"]
      }

      resources {
        cpu    = 10
        memory = 32
      }
    }
  }
}
