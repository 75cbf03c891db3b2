# One run each night at half past two, Berlin time; never two at once.
job "nightly" {
  type = "batch"

  periodic {
    cron             = "30 2 * * *"
    time_zone        = "Europe/Berlin"
    prohibit_overlap = true
  }

  group "report" {
    task "write" {
      driver = "process"

      config {
        command = "node"
        args    = ["-e", "console.log('report of', new Date().toISOString())"]
      }

      resources {
        cpu    = 10
        memory = 64
      }
    }
  }
}
