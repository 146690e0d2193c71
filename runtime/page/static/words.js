// Numbers as people read them; what is unknown is a dash, never a zero.

export const DASH = "–";

export function metres(value) {
  if (value === null || value === undefined) return DASH;
  if (Math.abs(value) >= 1000) return `${(value / 1000).toFixed(2)} km`;
  return `${value.toFixed(Math.abs(value) < 10 ? 1 : 0)} m`;
}

export function seconds(value) {
  if (value === null || value === undefined) return DASH;
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 100) return `${Math.round(value)} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(value % 60)).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function percent(share) {
  return share === null || share === undefined ? DASH : `${Math.round(share * 100)} %`;
}

export function bytes(value) {
  if (value === null || value === undefined) return DASH;
  return value >= 1e9 ? `${(value / 1e9).toFixed(1)} GB` : `${Math.round(value / 1e6)} MB`;
}

export function place(point) {
  return point ? `${point.latitude_deg.toFixed(6)}, ${point.longitude_deg.toFixed(6)}` : DASH;
}

export function plain(name) {
  return name === null || name === undefined ? DASH : String(name).replaceAll("_", " ");
}

export function clock(date) {
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

export function isAt(point, other) {
  return Boolean(point && other && point.latitude_deg === other.latitude_deg && point.longitude_deg === other.longitude_deg);
}
