// The wall: one canvas, a tile with a moving curve for each sensor. Values come at any time, drawing happens once per frame.

const colours = ['#7aa2ff', '#45d0bf', '#f2b04f', '#f4799c', '#b59bff', '#7fd88f']
const windowMs = 6_000
/** Points kept per sensor; of more than this in 6 s each point is the mean of several readings. */
const points = 360
const stepMs = windowMs / points

export function createWall(canvas, sensors) {
  const context = canvas.getContext('2d', { alpha: false })
  const sums = Array.from({ length: sensors }, () => new Float32Array(points))
  const counts = Array.from({ length: sensors }, () => new Uint32Array(points))
  /** Which step of time a point holds: it is overwritten when its turn comes again. */
  const steps = Array.from({ length: sensors }, () => new Float64Array(points))
  const latest = new Float32Array(sensors)
  const rates = new Uint32Array(sensors)
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches
  let drawnAt = 0
  let stoppedAt = 0
  fit()
  new ResizeObserver(fit).observe(canvas)

  function fit() {
    const ratio = Math.min(devicePixelRatio, 2)
    canvas.width = Math.round(canvas.clientWidth * ratio)
    canvas.height = Math.round(canvas.clientHeight * ratio)
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
  }

  function add(sensor, value, time) {
    const step = Math.floor(time / stepMs)
    const at = step % points
    if (steps[sensor][at] !== step) {
      steps[sensor][at] = step
      sums[sensor][at] = 0
      counts[sensor][at] = 0
    }
    sums[sensor][at] += value
    counts[sensor][at]++
    latest[sensor] = value
    rates[sensor]++
  }

  function draw(now, frozen) {
    // With reduced motion the curves move once a second instead of all the time.
    if (calm && now - drawnAt < 1_000) return
    drawnAt = now
    stoppedAt = frozen ? stoppedAt || now : 0
    const width = canvas.clientWidth
    const height = canvas.clientHeight
    const columns = width > 900 ? 6 : width > 560 ? 4 : 3
    const rows = Math.ceil(sensors / columns)
    context.fillStyle = '#0d111b'
    context.fillRect(0, 0, width, height)
    for (let sensor = 0; sensor < sensors; sensor++) {
      const tile = {
        x: (sensor % columns) * (width / columns),
        y: Math.floor(sensor / columns) * (height / rows),
        width: width / columns,
        height: height / rows,
      }
      drawTile(sensor, tile, stoppedAt || now, frozen)
    }
  }

  function drawTile(sensor, { x, y, width, height }, now, frozen) {
    const colour = frozen ? '#66708a' : colours[sensor % colours.length]
    context.strokeStyle = '#1d2434'
    context.lineWidth = 1
    context.strokeRect(x + 0.5, y + 0.5, width, height)
    context.fillStyle = '#7d88a3'
    context.font = '11px ui-monospace, Menlo, "DejaVu Sans Mono", monospace'
    context.fillText(`S${String(sensor + 1).padStart(2, '0')}`, x + 10, y + 18)
    context.textAlign = 'right'
    context.fillStyle = colour
    context.fillText((latest[sensor] * 50 + 50).toFixed(1), x + width - 10, y + 18)
    context.textAlign = 'left'
    const end = curve(sensor, { x: x + 10, y: y + 26, width: width - 22, height: height - 36 }, now)
    context.strokeStyle = colour
    context.lineWidth = 1.6
    context.lineJoin = 'round'
    context.stroke()
    if (!end) return
    context.fillStyle = colour
    context.beginPath()
    context.arc(end.x, end.y, 2.6, 0, 7)
    context.fill()
  }

  /** Makes the path, and gives its end. */
  function curve(sensor, { x, y, width, height }, now) {
    // The newest steps may not be complete: they are shown a moment later.
    const newest = Math.floor(now / stepMs) - 3
    let end
    context.beginPath()
    for (let step = newest - points + 4; step <= newest; step++) {
      const at = step % points
      if (steps[sensor][at] !== step) continue
      const value = sums[sensor][at] / counts[sensor][at]
      const px = x + width * (1 - (now / stepMs - step - 3) / points)
      const py = y + height * (0.5 - value * 0.55)
      if (end) context.lineTo(px, py)
      else context.moveTo(px, py)
      end = { x: px, y: py }
    }
    return end
  }

  return { add, draw }
}
